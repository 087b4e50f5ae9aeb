/*
 * Its constructor is the first to allocate in the process: inside libc, which
 * holds the lock of its translations then.
 */
#include <libintl.h>

__attribute__((constructor)) static void bind(void)
{
	bindtextdomain("first", "/");
	gettext("a text");
	bindtextdomain("second", "/");
}
