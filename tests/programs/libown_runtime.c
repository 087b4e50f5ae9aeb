/* build: -Wl,--no-as-needed -lstdc++ */
/*
 * The same with the C++ runtime, which comes with the plugin and allocates on
 * its behalf: the loader finds the plugin's operators for it, since it was the
 * plugin that had it loaded.
 */
#define ours_are_used our_own_calls
#include "tests/programs/libown_new.c"
#undef ours_are_used

int ours_are_used(void);

/* std::string, and its reserve(capacity) */
struct string {
	char *text;
	size_t length;
	char local[16];
};

void _ZNSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEE7reserveEm(
	struct string *string, size_t capacity);

int ours_are_used(void)
{
	struct string string = { .text = string.local };

	_ZNSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEE7reserveEm(&string,
									 100);
	return string.text >= pool && string.text < pool + sizeof(pool) &&
	       our_own_calls();
}
