/*
 * Compiled by the symboliser's tests: the linker drops a function so large
 * that, left at address 0, it would cover all others.
 */
void dropped(void)
{
	__asm__ volatile(".fill 1048576, 1, 0x90");
}

__attribute__((noinline)) void kept(void)
{
	__asm__ volatile("at_kept: nop");
}

int main(void)
{
	kept();
	return 0;
}
