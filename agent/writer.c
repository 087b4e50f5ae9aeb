/*
 * See writer.h. protobuf-c packs whole trees: to keep the memory small, the
 * profile is packed and compressed in pieces, each a profile with a few fields
 * of its own. Joined together they are one message: that is how protobuf
 * defines repeated fields.
 */

#include "agent/writer.h"

#include "agent/format/keys.h"
#include "agent/format/profile.pb-c.h"
#include "agent/frames.h"
#include "agent/gzip.h"
#include "agent/memory.h"
#include "agent/modules.h"
#include "agent/state.h"
#include "agent/system.h"

#include <errno.h>
#include <string.h>

typedef Perftools__Profiles__Profile Profile;
typedef Perftools__Profiles__ValueType ValueType;
typedef Perftools__Profiles__Sample Sample;
typedef Perftools__Profiles__Label Label;
typedef Perftools__Profiles__Mapping Mapping;
typedef Perftools__Profiles__Location Location;
typedef Perftools__Profiles__Line Line;
typedef Perftools__Profiles__Function Function;

/* Strings whose place in the table is known from the start. */
enum fixed_string {
	STRING_EMPTY,
	STRING_TYPES,
	STRING_COUNT = STRING_TYPES + LA_SAMPLE_TYPES,
	STRING_BYTES,
	STRING_SPACE,
	STRING_KIND,
	STRING_STACK_SIZE,
	STRING_ERRORS,
	STRING_KINDS = STRING_ERRORS + LA_SAMPLE_TYPES,
	STRING_JIT = STRING_KINDS + LA_KINDS,
	STRING_TRUNCATED,
	STRING_UNTRACKED,
	FIXED_STRINGS
};

struct writer {
	struct la_gzip gzip;
	uint8_t *packed;
	size_t packed_room;
	uint32_t frames; /* ids above are newer than this snapshot */
	uint32_t *location_of; /* frame -> location id, 0 = not yet */
	uint32_t *frame_of;    /* location id -> frame */
	uint32_t locations;
	uint32_t *mapping_of; /* module -> mapping id */
	uint32_t *module_of;
	uint32_t mappings;
	uint32_t modules;
	uint32_t functions;
	int64_t strings;
};

static void *map(size_t bytes)
{
	return la_memory_map_for(LA_MEMORY_SNAPSHOT, bytes);
}

static void unmap(void *memory, size_t bytes)
{
	la_memory_unmap_for(LA_MEMORY_SNAPSHOT, memory, bytes);
}

static bool reserve_packed(struct writer *writer, size_t bytes)
{
	if (bytes <= writer->packed_room)
		return true;
	unmap(writer->packed, writer->packed_room);
	writer->packed = map(2 * bytes);
	writer->packed_room = writer->packed ? 2 * bytes : 0;
	if (!writer->packed)
		writer->gzip.error = -ENOMEM;
	return writer->packed;
}

static void put(struct writer *writer, const Profile *piece)
{
	size_t bytes;

	if (writer->gzip.error)
		return;
	bytes = perftools__profiles__profile__get_packed_size(piece);
	if (!reserve_packed(writer, bytes))
		return;
	perftools__profiles__profile__pack(piece, writer->packed);
	la_gzip_put(&writer->gzip, writer->packed, bytes);
}

/* Returns the string's index. */
static int64_t put_string(struct writer *writer, const char *text)
{
	Profile piece = PERFTOOLS__PROFILES__PROFILE__INIT;
	char *table[] = { (char *)text };

	piece.n_string_table = 1;
	piece.string_table = table;
	put(writer, &piece);
	return writer->strings++;
}

static void put_fixed_strings(struct writer *writer)
{
	static const char *const fixed[FIXED_STRINGS] = {
		[STRING_EMPTY] = "",
		[STRING_COUNT] = LA_UNIT_COUNT,
		[STRING_BYTES] = LA_UNIT_BYTES,
		[STRING_SPACE] = LA_PERIOD_TYPE,
		[STRING_KIND] = LA_LABEL_KIND,
		[STRING_STACK_SIZE] = LA_LABEL_STACK_SIZE,
		[STRING_KINDS + LA_KIND_ID_HEAP] = LA_KIND_HEAP,
		[STRING_KINDS + LA_KIND_ID_MMAP] = LA_KIND_MMAP,
		[STRING_KINDS + LA_KIND_ID_THREAD] = LA_KIND_THREAD,
		[STRING_JIT] = LA_FRAME_JIT,
		[STRING_TRUNCATED] = LA_FRAME_TRUNCATED,
		[STRING_UNTRACKED] = LA_FRAME_UNTRACKED,
	};
	static const char *const types[] = LA_SAMPLE_TYPE_NAMES;
	static const char *const errors[] = LA_LABEL_ERROR_NAMES;

	for (unsigned i = 0; i < FIXED_STRINGS; i++)
		if (i - STRING_TYPES < LA_SAMPLE_TYPES)
			put_string(writer, types[i - STRING_TYPES]);
		else if (i - STRING_ERRORS < LA_SAMPLE_TYPES)
			put_string(writer, errors[i - STRING_ERRORS]);
		else
			put_string(writer, fixed[i]);
}

static const int64_t units[LA_SAMPLE_TYPES] = {
	[LA_ALLOC_OBJECTS] = STRING_COUNT,
	[LA_ALLOC_SPACE] = STRING_BYTES,
	[LA_INUSE_OBJECTS] = STRING_COUNT,
	[LA_INUSE_SPACE] = STRING_BYTES,
};

static void put_header(struct writer *writer, uint64_t interval,
		       uint64_t utc_ns, uint64_t duration_ns)
{
	Profile piece = PERFTOOLS__PROFILES__PROFILE__INIT;
	ValueType types[LA_SAMPLE_TYPES], *pointers[LA_SAMPLE_TYPES];
	ValueType period = PERFTOOLS__PROFILES__VALUE_TYPE__INIT;

	for (int i = 0; i < LA_SAMPLE_TYPES; i++) {
		perftools__profiles__value_type__init(&types[i]);
		types[i].type = STRING_TYPES + i;
		types[i].unit = units[i];
		pointers[i] = &types[i];
	}
	period.type = STRING_SPACE;
	period.unit = STRING_BYTES;
	piece.n_sample_type = LA_SAMPLE_TYPES;
	piece.sample_type = pointers;
	piece.default_sample_type = STRING_TYPES + LA_INUSE_SPACE;
	piece.period_type = &period;
	piece.period = interval ? (int64_t)interval : 1;
	piece.time_nanos = (int64_t)utc_ns;
	piece.duration_nanos = (int64_t)duration_ns;
	put(writer, &piece);
}

static uint32_t location_of(struct writer *writer, uint32_t frame)
{
	if (frame > writer->frames)
		frame = LA_FRAME_ID_TRUNCATED;
	if (!writer->location_of[frame]) {
		writer->location_of[frame] = ++writer->locations;
		writer->frame_of[writer->locations] = frame;
	}
	return writer->location_of[frame];
}

static unsigned read_stack(struct writer *writer, uint32_t node,
			   uint64_t *locations)
{
	unsigned count = 0;

	while (node != LA_ROOT_NODE && count <= LA_MOST_FRAMES) {
		struct la_node at = la_node_at(node);

		locations[count++] = location_of(writer, at.frame);
		node = at.caller;
	}
	return count;
}

enum { MOST_LABELS = 2 + LA_SAMPLE_TYPES };

struct labels {
	size_t count;
	Label labels[MOST_LABELS];
	Label *pointers[MOST_LABELS];
};

static Label *add_label(struct labels *labels, int64_t key)
{
	Label *label = &labels->labels[labels->count];

	perftools__profiles__label__init(label);
	label->key = key;
	labels->pointers[labels->count++] = label;
	return label;
}

static void add_number(struct labels *labels, int64_t key, int64_t number,
		       int64_t unit)
{
	Label *label = add_label(labels, key);

	label->num = number;
	label->num_unit = unit;
}

static void label(struct labels *labels, const struct la_site *site,
		  const struct la_values *values)
{
	labels->count = 0;
	add_label(labels, STRING_KIND)->str =
		STRING_KINDS + (int64_t)site->kind;
	if (site->kind == LA_KIND_ID_THREAD)
		add_number(labels, STRING_STACK_SIZE,
			   (int64_t)site->stack_size, STRING_BYTES);
	for (int i = 0; i < LA_SAMPLE_TYPES; i++)
		if (values->error[i])
			add_number(labels, STRING_ERRORS + i, values->error[i],
				   units[i]);
}

static void put_sample(struct writer *writer, const struct la_site *site,
		       struct la_values *values)
{
	uint64_t locations[LA_MOST_FRAMES + 1];
	struct labels labels;
	Sample sample = PERFTOOLS__PROFILES__SAMPLE__INIT;
	Sample *samples[] = { &sample };
	Profile piece = PERFTOOLS__PROFILES__PROFILE__INIT;

	label(&labels, site, values);
	sample.n_location_id = read_stack(writer, site->node, locations);
	sample.location_id = locations;
	sample.n_value = LA_SAMPLE_TYPES;
	sample.value = values->value;
	sample.n_label = labels.count;
	sample.label = labels.pointers;
	piece.n_sample = 1;
	piece.sample = samples;
	put(writer, &piece);
}

static void put_samples(struct writer *writer,
			const struct la_snapshot *snapshot)
{
	for (uint32_t id = 1; id <= snapshot->sites; id++) {
		struct la_values values = la_snapshot_values(snapshot, id);

		/* Or else its first allocation is under way, or unsampled. */
		if (values.value[LA_ALLOC_OBJECTS])
			put_sample(writer, la_site_at(id), &values);
	}
}

static uint32_t mapping_of(struct writer *writer, uint32_t module)
{
	if (!module || module > writer->modules)
		return 0;
	if (!writer->mapping_of[module]) {
		writer->mapping_of[module] = ++writer->mappings;
		writer->module_of[writer->mappings] = module;
	}
	return writer->mapping_of[module];
}

/* A marker is its own name: a function without a file. */
static void put_marker(struct writer *writer, uint64_t id, int64_t name)
{
	Location location = PERFTOOLS__PROFILES__LOCATION__INIT;
	Function function = PERFTOOLS__PROFILES__FUNCTION__INIT;
	Function *functions[] = { &function };
	Line line = PERFTOOLS__PROFILES__LINE__INIT, *lines[] = { &line };
	Location *locations[] = { &location };
	Profile piece = PERFTOOLS__PROFILES__PROFILE__INIT;

	location.id = id;
	function.id = ++writer->functions;
	function.name = name;
	function.system_name = name;
	line.function_id = function.id;
	location.n_line = 1;
	location.line = lines;
	piece.n_location = 1;
	piece.location = locations;
	piece.n_function = 1;
	piece.function = functions;
	put(writer, &piece);
}

static void put_locations(struct writer *writer)
{
	for (uint32_t id = 1; id <= writer->locations; id++) {
		uint32_t frame_id = writer->frame_of[id];
		const struct la_frame *frame = la_frame_at(frame_id);
		Profile piece = PERFTOOLS__PROFILES__PROFILE__INIT;
		Location location = PERFTOOLS__PROFILES__LOCATION__INIT;
		Location *locations[] = { &location };

		location.id = id;
		if (frame_id < LA_FRAME_FIRST) {
			put_marker(writer, id,
				   STRING_JIT + (int64_t)frame_id -
					   LA_FRAME_ID_JIT);
			continue;
		}
		location.address = frame->address;
		location.mapping_id = mapping_of(writer, frame->module);
		piece.n_location = 1;
		piece.location = locations;
		put(writer, &piece);
	}
}

static void put_mappings(struct writer *writer)
{
	for (uint32_t id = 1; id <= writer->mappings; id++) {
		const struct la_module *module =
			la_module_at(writer->module_of[id]);
		Profile piece = PERFTOOLS__PROFILES__PROFILE__INIT;
		Mapping mapping = PERFTOOLS__PROFILES__MAPPING__INIT;
		Mapping *mappings[] = { &mapping };
		char build_id[2 * sizeof(module->build_id) + 1] = "";

		for (unsigned i = 0; i < module->build_id_size; i++) {
			static const char digits[] = "0123456789abcdef";

			build_id[2 * i] = digits[module->build_id[i] >> 4];
			build_id[2 * i + 1] = digits[module->build_id[i] & 15];
		}
		mapping.id = id;
		mapping.memory_start = module->start;
		mapping.memory_limit = module->end;
		mapping.file_offset = module->file_offset;
		mapping.filename = put_string(writer, module->path);
		if (*build_id)
			mapping.build_id = put_string(writer, build_id);
		piece.n_mapping = 1;
		piece.mapping = mappings;
		put(writer, &piece);
	}
}

static void put_notes(struct writer *writer, const struct la_note *notes,
		      unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		char text[sizeof(notes->value) + 64];
		Profile piece = PERFTOOLS__PROFILES__PROFILE__INIT;
		int64_t index;

		strcpy(text, notes[i].key);
		strcat(text, "=");
		strncat(text, notes[i].value, sizeof(notes->value));
		index = put_string(writer, text);
		piece.n_comment = 1;
		piece.comment = &index;
		put(writer, &piece);
	}
}

static size_t table_bytes(uint32_t count)
{
	return ((size_t)count + 1) * sizeof(uint32_t);
}

static void open_writer(struct writer *writer, int fd)
{
	writer->frames = la_frames_count();
	writer->modules = la_modules_count();
	writer->location_of = map(table_bytes(writer->frames));
	writer->frame_of = map(table_bytes(writer->frames));
	writer->mapping_of = map(table_bytes(writer->modules));
	writer->module_of = map(table_bytes(writer->modules));
	la_gzip_open(&writer->gzip, fd);
	if (!writer->location_of || !writer->frame_of || !writer->mapping_of ||
	    !writer->module_of)
		writer->gzip.error = -ENOMEM;
}

static void close_writer(struct writer *writer)
{
	la_gzip_close(&writer->gzip);
	unmap(writer->packed, writer->packed_room);
	unmap(writer->location_of, table_bytes(writer->frames));
	unmap(writer->frame_of, table_bytes(writer->frames));
	unmap(writer->mapping_of, table_bytes(writer->modules));
	unmap(writer->module_of, table_bytes(writer->modules));
}

int la_writer_write(int fd, const struct la_snapshot *snapshot, uint64_t utc_ns,
		    uint64_t duration_ns, const struct la_note *notes,
		    unsigned note_count)
{
	struct writer writer = { .frames = 0 };

	open_writer(&writer, fd);
	if (!writer.gzip.error) {
		put_fixed_strings(&writer);
		put_header(&writer, snapshot->interval, utc_ns, duration_ns);
		/* The loader lists the main program first, so do readers. */
		mapping_of(&writer, 1);
		put_samples(&writer, snapshot);
		put_locations(&writer);
		put_mappings(&writer);
		put_notes(&writer, notes, note_count);
		la_gzip_finish(&writer.gzip);
	}
	close_writer(&writer);
	return writer.gzip.error;
}
