/* Compiled by the symboliser's tests, which know these lines and labels. */
int sink;

static inline __attribute__((always_inline)) void innermost(int value)
{
	__asm__ volatile("at_innermost: nop");
	sink += value;
}

static inline __attribute__((always_inline)) void middle(int value)
{
	innermost(value + 1);
}

__attribute__((noinline)) void outermost(int value)
{
	middle(value * 2);
	__asm__ volatile("at_outermost: nop");
}

static __attribute__((noinline)) void hidden(int value)
{
	__asm__ volatile("at_hidden: nop");
	sink -= value;
}

int main(int argc, char **argv)
{
	outermost(argc);
	hidden((int)(long)argv);
	return 0;
}
