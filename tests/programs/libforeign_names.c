/* build: -Wl,-Bsymbolic */
/*
 * Functions with the names of those that the agent's libraries define, all of
 * them wrong: a program may bring these libraries in other versions, as node
 * brings zlib, and whoever calls one of these is ended.
 */
#include <stdlib.h>

#define WRONG(name)                                                            \
	void name(void);                                                       \
	void name(void)                                                        \
	{                                                                      \
		abort();                                                       \
	}

WRONG(adler32)
WRONG(crc32)
WRONG(crc32_z)
WRONG(compress2)
WRONG(deflate)
WRONG(deflateEnd)
WRONG(deflateInit_)
WRONG(deflateInit2_)
WRONG(deflateReset)
WRONG(zcalloc)
WRONG(zcfree)
WRONG(protobuf_c_message_pack)
WRONG(protobuf_c_message_pack_to_buffer)
WRONG(protobuf_c_message_get_packed_size)
WRONG(protobuf_c_buffer_simple_append)
WRONG(perftools__profiles__profile__pack)
WRONG(ini_parse)
WRONG(ini_parse_string)
WRONG(unw_backtrace)
WRONG(unw_getcontext)
WRONG(unw_init_local)
WRONG(unw_init_remote)
WRONG(unw_step)
WRONG(unw_get_reg)
WRONG(unw_get_proc_info)
WRONG(_Ux86_64_create_addr_space)
WRONG(_Ux86_64_flush_cache)
WRONG(_Ux86_64_get_reg)
WRONG(_Ux86_64_get_save_loc)
WRONG(_Ux86_64_init_remote)
WRONG(_Ux86_64_is_fpreg)
WRONG(_Ux86_64_is_signal_frame)
WRONG(_Ux86_64_step)
WRONG(_Ux86_64_dwarf_search_unwind_table)
WRONG(_Ux86_64_dwarf_find_unwind_table)
WRONG(_Ux86_64_get_elf_image)
WRONG(_ULx86_64_init_local)
WRONG(_ULx86_64_step)
WRONG(la_malloc_carefully)
WRONG(la_boot_main)
WRONG(la_lock)
