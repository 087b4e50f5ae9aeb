/*
 * A symbol table with everything that must not be taken for a function, made
 * by hand. Compiled by the symboliser's tests, without debug information.
 */
__asm__(".text\n"
	".globl sized; .type sized, @function\n"
	"sized: nop; at_sized: nop\n"
	".size sized, .-sized\n"
	"at_gap: nop; nop\n"

	/* No size: where it ends is unknown. */
	".globl endless; .type endless, @function\n"
	"endless: nop; at_endless: nop\n"

	/* Sized, but data. */
	".globl data; .type data, @object\n"
	"data: nop; at_data: nop\n"
	".size data, .-data\n"

	/* One function by many names; the first is the best. */
	".globl chosen; .type chosen, @function\n"
	".globl __chosen; .type __chosen, @function\n"
	".weak a_weak; .type a_weak, @function\n"
	".type a_local, @function\n"
	"a_weak: a_local: __chosen: chosen: nop; at_alias: nop\n"
	".size chosen, .-chosen\n"
	".size __chosen, .-chosen\n"
	".size a_weak, .-chosen\n"
	".size a_local, .-chosen\n"

	/* A local function, by the name that the author gave it. */
	".type worker.part.0, @function\n"
	"worker.part.0: nop; at_clone: nop\n"
	".size worker.part.0, .-worker.part.0\n"

	".type _ZN3app4workEi.cold, @function\n"
	"_ZN3app4workEi.cold: nop; at_mangled: nop\n"
	".size _ZN3app4workEi.cold, .-_ZN3app4workEi.cold\n");

int main(void)
{
	return 0;
}
