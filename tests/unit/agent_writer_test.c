/*
 * The file: what is written is read back equal, by protobuf-c's own reader of
 * the schema, and keeps what format/keys.h promises.
 */
#define _GNU_SOURCE

#include "agent/writer.h"

#include "agent/format/keys.h"
#include "agent/format/profile.pb-c.h"
#include "agent/frames.h"
#include "agent/memory.h"
#include "agent/modules.h"
#include "agent/state.h"

#include "tests/support/agent_check.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <zlib.h>

typedef Perftools__Profiles__Profile Profile;
typedef Perftools__Profiles__Sample Sample;
typedef Perftools__Profiles__Location Location;
typedef Perftools__Profiles__Mapping Mapping;

#define UTC_NS UINT64_C(1763729101123456789)
#define DURATION_NS UINT64_C(987654321)

/* ---- there and back ---- */

static uint8_t *unpacked;
static size_t unpacked_size;

static void gunzip(int fd)
{
	gzFile file;
	int got;
	size_t room = 1 << 20;

	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	file = gzdopen(fd, "rb");
	assert_non_null(file);
	free(unpacked);
	unpacked = malloc(room);
	unpacked_size = 0;
	while ((got = gzread(file, unpacked + unpacked_size,
			     (unsigned)(room - unpacked_size))) > 0) {
		unpacked_size += (size_t)got;
		if (unpacked_size == room) {
			room *= 2;
			unpacked = realloc(unpacked, room);
		}
	}
	assert_int_equal(got, 0);
	assert_false(gzdirect(file));
	assert_int_equal(gzclose(file), Z_OK);
}

static Profile *write_and_read(const struct la_snapshot *snapshot,
			       const struct la_note *notes, unsigned count)
{
	int fd = memfd_create("snapshot", 0);
	Profile *profile;

	assert_int_equal(la_writer_write(fd, snapshot, UTC_NS, DURATION_NS,
					 notes, count),
			 0);
	gunzip(fd);
	profile = perftools__profiles__profile__unpack(NULL, unpacked_size,
						       unpacked);
	assert_non_null(profile);
	return profile;
}

static void free_profile(Profile *profile)
{
	perftools__profiles__profile__free_unpacked(profile, NULL);
}

static const char *text(const Profile *profile, int64_t index)
{
	assert_in_range(index, 0, profile->n_string_table - 1);
	return profile->string_table[index];
}

/* ---- made-up snapshots ---- */

static struct la_snapshot new_snapshot(void)
{
	struct la_snapshot snapshot = { .sites = la_sites_total() };

	snapshot.allocated =
		calloc(snapshot.sites + 1, sizeof(*snapshot.allocated));
	snapshot.live = calloc(snapshot.sites + 1, sizeof(*snapshot.live));
	return snapshot;
}

static void free_snapshot(struct la_snapshot *snapshot)
{
	free(snapshot->allocated);
	free(snapshot->live);
	free(snapshot->allocated_estimates);
	free(snapshot->live_estimates);
}

static void set_row(struct la_snapshot *snapshot, uint32_t site,
		    uint64_t alloc_objects, uint64_t alloc_bytes,
		    uint64_t live_objects, uint64_t live_bytes)
{
	snapshot->allocated[site] =
		(struct la_counts){ alloc_objects, alloc_bytes };
	snapshot->live[site] = (struct la_counts){ live_objects, live_bytes };
}

static uintptr_t code(const char *symbol, unsigned offset)
{
	return (uintptr_t)dlsym(RTLD_DEFAULT, symbol) + offset;
}

/* The node of these addresses, leaf first; below LA_FRAME_FIRST: markers. */
static uint32_t stack_of(const uintptr_t *addresses, unsigned count)
{
	uint32_t node = LA_ROOT_NODE;

	while (count-- > 0) {
		uintptr_t address = addresses[count];

		node = la_node_find(node,
				     address < LA_FRAME_FIRST ?
					     (uint32_t)address :
					     la_frames_find(address, true));
	}
	return node;
}

/* ---- what holds of every file ---- */

static void assert_sample_types(const Profile *profile)
{
	static const char *const names[] = LA_SAMPLE_TYPE_NAMES;
	static const char *const units[] = LA_SAMPLE_TYPE_UNITS;

	assert_int_equal(profile->n_sample_type, LA_SAMPLE_TYPES);
	for (int i = 0; i < LA_SAMPLE_TYPES; i++) {
		assert_string_equal(text(profile,
					 profile->sample_type[i]->type),
				    names[i]);
		assert_string_equal(text(profile,
					 profile->sample_type[i]->unit),
				    units[i]);
	}
	assert_string_equal(text(profile, profile->default_sample_type),
			    "inuse_space");
	assert_string_equal(text(profile, profile->period_type->type), "space");
	assert_string_equal(text(profile, profile->period_type->unit), "bytes");
	assert_int_equal(profile->period, 1);
}

static void assert_mappings(const Profile *profile)
{
	assert_true(profile->n_mapping > 0);
	assert_string_equal(text(profile, profile->mapping[0]->filename),
			    la_module_at(1)->path);
	for (size_t i = 0; i < profile->n_mapping; i++) {
		const Mapping *mapping = profile->mapping[i];
		uint32_t id = la_modules_find(mapping->memory_start);
		const struct la_module *module = la_module_at(id);
		char build_id[2 * LA_MOST_BUILD_ID + 1] = "";

		assert_int_equal(mapping->id, i + 1);
		assert_int_not_equal(id, 0);
		assert_int_equal(mapping->memory_start, module->start);
		assert_int_equal(mapping->memory_limit, module->end);
		assert_int_equal(mapping->file_offset, module->file_offset);
		assert_string_equal(text(profile, mapping->filename),
				    module->path);
		for (unsigned k = 0; k < module->build_id_size; k++)
			sprintf(build_id + 2 * k, "%02x", module->build_id[k]);
		assert_string_equal(text(profile, mapping->build_id), build_id);
		assert_false(mapping->has_functions ||
			     mapping->has_filenames ||
			     mapping->has_line_numbers ||
			     mapping->has_inline_frames);
	}
}

static void assert_marker(const Profile *profile, const Location *location)
{
	const Perftools__Profiles__Line *line = location->line[0];

	assert_int_equal(location->mapping_id, 0);
	assert_int_equal(location->address, 0);
	assert_int_equal(location->n_line, 1);
	assert_int_equal(line->line, 0);
	assert_in_range(line->function_id, 1, profile->n_function);
	assert_int_equal(profile->function[line->function_id - 1]->filename, 0);
}

static void assert_locations(const Profile *profile)
{
	for (size_t i = 0; i < profile->n_location; i++) {
		const Location *location = profile->location[i];
		const Mapping *mapping;

		assert_int_equal(location->id, i + 1);
		assert_false(location->is_folded);
		if (location->n_line) {
			assert_marker(profile, location);
			continue;
		}
		assert_in_range(location->mapping_id, 1, profile->n_mapping);
		mapping = profile->mapping[location->mapping_id - 1];
		assert_in_range(location->address, mapping->memory_start,
				mapping->memory_limit - 1);
	}
	for (size_t i = 0; i < profile->n_function; i++)
		assert_int_equal(profile->function[i]->id, i + 1);
}

static void assert_promises(const Profile *profile)
{
	assert_true(profile->n_string_table > 0);
	assert_string_equal(profile->string_table[0], "");
	assert_int_equal(profile->time_nanos, UTC_NS);
	assert_int_equal(profile->duration_nanos, DURATION_NS);
	assert_sample_types(profile);
	assert_mappings(profile);
	assert_locations(profile);
}

/* ---- samples against sites ---- */

static const char *const kinds[] = { "heap", "mmap", "thread" };

static const char *location_name(const Profile *profile,
				 const Location *location)
{
	const Perftools__Profiles__Line *line = location->line[0];
	const Perftools__Profiles__Function *function =
		profile->function[line->function_id - 1];

	assert_int_equal(function->system_name, function->name);
	return text(profile, function->name);
}

static void assert_stack(const Profile *profile, const Sample *sample,
			 uint32_t node)
{
	for (size_t i = 0; i < sample->n_location_id; i++) {
		const Location *location;
		uint32_t frame = la_node_at(node).frame;

		assert_in_range(sample->location_id[i], 1, profile->n_location);
		location = profile->location[sample->location_id[i] - 1];
		if (frame == LA_FRAME_ID_JIT)
			assert_string_equal(location_name(profile, location),
					    "[jit]");
		else if (frame == LA_FRAME_ID_TRUNCATED)
			assert_string_equal(location_name(profile, location),
					    "[truncated]");
		else
			assert_int_equal(location->address,
					 la_frame_at(frame)->address);
		node = la_node_at(node).caller;
	}
	assert_int_equal(node, LA_ROOT_NODE);
}

static void assert_labels(const Profile *profile, const Sample *sample,
			  const struct la_site *site)
{
	bool thread = site->kind == LA_KIND_ID_THREAD;

	assert_int_equal(sample->n_label, thread ? 2 : 1);
	assert_string_equal(text(profile, sample->label[0]->key), "kind");
	assert_string_equal(text(profile, sample->label[0]->str),
			    kinds[site->kind]);
	assert_int_equal(sample->label[0]->num, 0);
	if (!thread)
		return;
	assert_string_equal(text(profile, sample->label[1]->key), "stack_size");
	assert_int_equal(sample->label[1]->str, 0);
	assert_int_equal(sample->label[1]->num, site->stack_size);
	assert_string_equal(text(profile, sample->label[1]->num_unit), "bytes");
}

/* Every site that was ever used is a sample, in the order of sites. */
static void assert_samples(const Profile *profile,
			   const struct la_snapshot *snapshot)
{
	size_t next = 0;

	for (uint32_t id = 1; id <= snapshot->sites; id++) {
		const struct la_counts *allocated = &snapshot->allocated[id];
		const struct la_counts *live = &snapshot->live[id];
		const Sample *sample;

		if (!allocated->objects)
			continue;
		assert_true(next < profile->n_sample);
		sample = profile->sample[next++];
		assert_int_equal(sample->n_value, 4);
		assert_int_equal(sample->value[0], allocated->objects);
		assert_int_equal(sample->value[1], allocated->bytes);
		assert_int_equal(sample->value[2], live->objects);
		assert_int_equal(sample->value[3], live->bytes);
		assert_stack(profile, sample, la_site_at(id)->node);
		assert_labels(profile, sample, la_site_at(id));
	}
	assert_int_equal(next, profile->n_sample);
}

static void check(struct la_snapshot *snapshot)
{
	size_t before = la_memory_bytes();
	Profile *profile = write_and_read(snapshot, NULL, 0);

	assert_int_equal(la_memory_bytes(), before);
	assert_promises(profile);
	assert_samples(profile, snapshot);
	assert_int_equal(profile->n_comment, 0);
	free_profile(profile);
	free_snapshot(snapshot);
}

static void test_nothing_allocated(void **state)
{
	struct la_snapshot snapshot = new_snapshot();

	(void)state;
	check(&snapshot);
}

static void test_kinds_and_markers(void **state)
{
	const uintptr_t stacks[][4] = {
		{ code("qsort", 5), code("puts", 9), code("dlsym", 3) },
		{ LA_FRAME_ID_JIT, code("puts", 9), LA_FRAME_ID_JIT,
		  LA_FRAME_ID_TRUNCATED },
		{ LA_FRAME_ID_TRUNCATED },
		{ code("qsort", 5), code("qsort", 5), code("qsort", 5) },
	};
	static const unsigned counts[] = { 3, 4, 1, 3 };
	struct la_snapshot snapshot;
	uint32_t sites[array_length(stacks) * 4], count = 0;

	(void)state;
	for (size_t i = 0; i < array_length(stacks); i++) {
		uint32_t node = stack_of(stacks[i], counts[i]);

		sites[count++] = la_sites_heap(node);
		sites[count++] = la_sites_other(node, LA_KIND_ID_MMAP, 0);
		sites[count++] = la_sites_other(node, LA_KIND_ID_THREAD, 0);
		sites[count++] = la_sites_other(node, LA_KIND_ID_THREAD,
						8 << 20);
	}
	snapshot = new_snapshot();
	for (uint32_t i = 0; i < count; i++)
		set_row(&snapshot, sites[i], 1000 + i, 2000 + i, 3000 + i,
			4000 + i);
	check(&snapshot);
}

static void test_values(void **state)
{
	static const uint64_t values[] = {
		0, 1, 127, 128, 0xffffffff, UINT64_C(1) << 32,
		(UINT64_C(1) << 48) - 1, INT64_MAX,
	};
	const uintptr_t address = code("qsort", 77);
	uint32_t site = la_sites_heap(stack_of(&address, 1));

	(void)state;
	for (size_t i = 0; i < array_length(values); i++) {
		struct la_snapshot snapshot = new_snapshot();

		set_row(&snapshot, site, INT64_MAX, values[i], values[i / 2],
			values[array_length(values) - 1 - i]);
		check(&snapshot);
	}
}

/* A site that nothing was counted for yet is no sample. */
static void test_unused_site(void **state)
{
	const uintptr_t address = code("puts", 33);
	uint32_t site = la_sites_heap(stack_of(&address, 1));
	struct la_snapshot snapshot = new_snapshot();
	Profile *profile;

	(void)state;
	set_row(&snapshot, site, 0, 0, 0, 0);
	profile = write_and_read(&snapshot, NULL, 0);
	assert_int_equal(profile->n_sample, 0);
	assert_int_equal(profile->n_location, 0);
	free_profile(profile);
	free_snapshot(&snapshot);
}

static void test_deepest_stack(void **state)
{
	static uintptr_t addresses[LA_MOST_FRAMES + 1];
	struct la_snapshot snapshot;
	uint32_t site;

	(void)state;
	for (unsigned i = 0; i < LA_MOST_FRAMES; i++)
		addresses[i] = code("qsort", 1) + 2 * i;
	addresses[LA_MOST_FRAMES] = LA_FRAME_ID_TRUNCATED;
	site = la_sites_heap(stack_of(addresses, LA_MOST_FRAMES + 1));
	snapshot = new_snapshot();
	set_row(&snapshot, site, 1, 2, 3, 4);
	check(&snapshot);
}

static void test_many_stacks(void **state)
{
	enum { STACKS = 30000, FRAMES = 12, PLACES = 3000 };
	struct la_snapshot snapshot;
	uint64_t seed = 9;
	uint32_t first;

	(void)state;
	for (uint32_t i = 0; i < STACKS; i++) {
		uintptr_t addresses[FRAMES];

		for (unsigned k = 0; k < FRAMES; k++)
			addresses[k] = code(k % 2 ? "qsort" : "dlsym", 0) +
				       3 * random_below(&seed, PLACES);
		la_sites_heap(stack_of(addresses, FRAMES));
	}
	snapshot = new_snapshot();
	first = snapshot.sites - STACKS;
	for (uint32_t i = 0; i < STACKS; i++)
		set_row(&snapshot, first + i + 1, random_next(&seed) >> 1,
			random_next(&seed) >> 20, random_next(&seed) >> 40,
			random_next(&seed) >> 1);
	check(&snapshot);
}

/* ---- estimates ---- */

static const char *const error_names[] = LA_LABEL_ERROR_NAMES;

/* The error of a value that a sample's labels tell, or 0. */
static int64_t error_of(const Profile *profile, const Sample *sample, int type)
{
	static const char *const units[] = LA_SAMPLE_TYPE_UNITS;

	for (size_t i = 0; i < sample->n_label; i++) {
		const Perftools__Profiles__Label *at = sample->label[i];

		if (strcmp(text(profile, at->key), error_names[type]))
			continue;
		assert_string_equal(text(profile, at->num_unit), units[type]);
		assert_int_not_equal(at->num, 0);
		return at->num;
	}
	return 0;
}

static struct la_snapshot new_estimates(void)
{
	struct la_snapshot snapshot = new_snapshot();

	snapshot.interval = 524288;
	snapshot.allocated_estimates =
		calloc(snapshot.sites + 1, sizeof(struct la_estimate));
	snapshot.live_estimates =
		calloc(snapshot.sites + 1, sizeof(struct la_estimate));
	return snapshot;
}

static void test_estimates(void **state)
{
	const uintptr_t address = code("qsort", 79);
	uint32_t node = stack_of(&address, 1);
	uint32_t heap = la_sites_heap(node);
	uint32_t thread = la_sites_other(node, LA_KIND_ID_THREAD, 7);
	struct la_snapshot snapshot = new_estimates();
	static const int64_t errors[LA_SAMPLE_TYPES] = { 1, 3, 7, 14 };
	Profile *profile;

	(void)state;
	/* Exact counts and estimates together: 11, 22.4, 3.6, 44. */
	set_row(&snapshot, heap, 10, 20, 3, 4);
	snapshot.allocated_estimates[heap] =
		(struct la_estimate){ 1, 2.4, 0.25, 9 };
	snapshot.live_estimates[heap] =
		(struct la_estimate){ 0.6, 40, 49, 181.5 };
	set_row(&snapshot, thread, 1, 0, 1, 0);
	profile = write_and_read(&snapshot, NULL, 0);
	assert_int_equal(profile->period, 524288);
	assert_int_equal(profile->n_sample, 2);
	assert_int_equal(profile->sample[0]->value[0], 11);
	assert_int_equal(profile->sample[0]->value[1], 22);
	assert_int_equal(profile->sample[0]->value[2], 4);
	assert_int_equal(profile->sample[0]->value[3], 44);
	/* Errors are rounded up, so that none becomes 0. */
	for (int type = 0; type < LA_SAMPLE_TYPES; type++)
		assert_int_equal(error_of(profile, profile->sample[0], type),
				 errors[type]);
	assert_int_equal(profile->sample[0]->n_label, 1 + LA_SAMPLE_TYPES);
	assert_int_equal(profile->sample[1]->n_label, 2);
	free_profile(profile);
	free_snapshot(&snapshot);
}

/* What is exact has no label, also in a sampled profile. */
static void test_errors_only_where_there_are_any(void **state)
{
	const uintptr_t address = code("qsort", 80);
	uint32_t node = stack_of(&address, 1), heap = la_sites_heap(node);
	struct la_snapshot snapshot = new_estimates();
	Profile *profile;

	(void)state;
	snapshot.allocated_estimates[heap] =
		(struct la_estimate){ 1, 1 << 30, 0, 0 };
	snapshot.live_estimates[heap] =
		(struct la_estimate){ 1e-300, 1e15, 1e-300, 1e30 };
	profile = write_and_read(&snapshot, NULL, 0);
	assert_int_equal(profile->n_sample, 1);
	assert_int_equal(error_of(profile, profile->sample[0], 0), 0);
	assert_int_equal(error_of(profile, profile->sample[0], 1), 0);
	assert_int_equal(error_of(profile, profile->sample[0], 2), 1);
	assert_int_equal(error_of(profile, profile->sample[0], 3),
			 1000000000000000);
	assert_int_equal(profile->sample[0]->n_label, 3);
	free_profile(profile);
	free_snapshot(&snapshot);
}

/* ---- notes ---- */

static void test_notes(void **state)
{
	static struct la_note notes[] = {
		{ LA_COMMENT_SCHEMA, "1" },
		{ LA_COMMENT_COMMAND, "a=b c\n\xc3\xa4" },
		{ LA_COMMENT_REASON, "" },
		{ LA_COMMENT_ALLOCATOR, "" },
	};
	struct la_snapshot snapshot = new_snapshot();
	Profile *profile;
	char longest[600] = LA_COMMENT_ALLOCATOR "=";

	(void)state;
	memset(notes[3].value, 'v', sizeof(notes[3].value) - 1);
	strcat(longest, notes[3].value);
	profile = write_and_read(&snapshot, notes, 4);
	assert_promises(profile);
	assert_int_equal(profile->n_comment, 4);
	assert_string_equal(text(profile, profile->comment[0]), "schema=1");
	assert_string_equal(text(profile, profile->comment[1]),
			    "command=a=b c\n\xc3\xa4");
	assert_string_equal(text(profile, profile->comment[2]), "reason=");
	assert_string_equal(text(profile, profile->comment[3]), longest);
	free_profile(profile);
	free_snapshot(&snapshot);
}

/* ---- trouble ---- */

static int write_to(int fd)
{
	struct la_snapshot snapshot = new_snapshot();
	size_t before = la_memory_bytes();
	int error;

	for (uint32_t site = 1; site <= snapshot.sites; site++)
		set_row(&snapshot, site, site, site * 77, site / 2, site);
	error = la_writer_write(fd, &snapshot, UTC_NS, DURATION_NS, NULL, 0);
	assert_int_equal(la_memory_bytes(), before);
	free_snapshot(&snapshot);
	return error;
}

static void test_disk_is_full(void **state)
{
	int fd = open("/dev/full", O_WRONLY);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write_to(fd), -ENOSPC);
	close(fd);
}

static void test_bad_descriptor(void **state)
{
	int fd = open("/dev/null", O_RDONLY);

	(void)state;
	assert_int_equal(write_to(fd), -EBADF);
	close(fd);
}

/* The last write gets in only in part: the next one tells why. */
static void test_limit_within_a_write(void **state)
{
	struct rlimit before, limit;
	char path[] = "/tmp/agent_writer_test.XXXXXX";
	int fd = mkstemp(path);
	struct stat status;

	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	limit = before;
	limit.rlim_cur = 70001;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	assert_int_equal(write_to(fd), -EFBIG);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_int_equal(fstat(fd, &status), 0);
	assert_int_equal(status.st_size, 70001);
	close(fd);
	unlink(path);
}

static int boot(void **state)
{
	(void)state;
	return la_unwind_boot() || la_modules_boot() || la_frames_boot();
}

static int clean_up(void **state)
{
	(void)state;
	free(unpacked);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_allocated),
		cmocka_unit_test(test_kinds_and_markers),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_unused_site),
		cmocka_unit_test(test_deepest_stack),
		cmocka_unit_test(test_many_stacks),
		cmocka_unit_test(test_estimates),
		cmocka_unit_test(test_errors_only_where_there_are_any),
		cmocka_unit_test(test_notes),
		cmocka_unit_test(test_disk_is_full),
		cmocka_unit_test(test_bad_descriptor),
		cmocka_unit_test(test_limit_within_a_write),
	};

	return cmocka_run_group_tests(tests, boot, clean_up);
}
