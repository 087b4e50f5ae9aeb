/*
 * Debug files from the servers in DEBUGINFOD_URLS, through elfutils' client
 * library, which also caches them. Touches nothing when that is not set or
 * the library is not installed.
 */
#ifndef DEBUG_SERVER_H
#define DEBUG_SERVER_H

enum debug_server_file { SERVER_DEBUG_INFO, SERVER_EXECUTABLE };

/*
 * Fetches by build id (hex) and returns the path of the local copy, which the
 * caller frees; NULL when there is none.
 */
char *debug_server_fetch(const char *build_id, enum debug_server_file file);

#endif
