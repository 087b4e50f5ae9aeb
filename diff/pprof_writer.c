/*
 * Frames, functions and modules get ids when a sample first needs them, in the
 * order of first use and without gaps.
 */
#include "diff/pprof_writer.h"

#include "agent/format/profile.pb-c.h"
#include "diff/gzip_stream.h"
#include "diff/strings.h"

#include <stdlib.h>
#include <string.h>

typedef Perftools__Profiles__Profile profile_message;
typedef Perftools__Profiles__Sample sample_message;
typedef Perftools__Profiles__Location location_message;
typedef Perftools__Profiles__Function function_message;
typedef Perftools__Profiles__Mapping mapping_message;
typedef Perftools__Profiles__ValueType value_type_message;
typedef Perftools__Profiles__Label label_message;
typedef Perftools__Profiles__Line line_message;

/* At most: kind, process and errors. */
#define LABELS (2 + LA_SAMPLE_TYPES)

struct pprof_writer {
	struct resolver *resolver;
	bool has[LA_SAMPLE_TYPES];
	enum la_sample_type sample;
	profile_message message;
	size_t sample_capacity, mapping_capacity, location_capacity;
	size_t function_capacity, comment_capacity;
	struct strings strings;
	uint32_t *location_of; /* by frame: id, 0 = none yet */
	uint32_t *mapping_of;  /* by module: id, 0 = none yet */
	struct hash_index functions;
	struct arena arena; /* holds the messages */
};

static void *new_array(struct pprof_writer *writer, size_t count, size_t size)
{
	void *array = arena_alloc(&writer->arena, count * size);

	memset(array, 0, count * size);
	return array;
}

#define NEW(writer, type) ((type *)new_array(writer, 1, sizeof(type)))

static int64_t text_number(struct pprof_writer *writer, const char *text)
{
	return strings_number(&writer->strings, text ? text : "");
}

static value_type_message *new_type(struct pprof_writer *writer,
				    const char *type, const char *unit)
{
	value_type_message *message = NEW(writer, value_type_message);

	perftools__profiles__value_type__init(message);
	message->type = text_number(writer, type);
	message->unit = text_number(writer, unit);
	return message;
}

struct pprof_writer *pprof_writer_new(struct resolver *resolver,
				      const bool has[LA_SAMPLE_TYPES],
				      enum la_sample_type sample)
{
	static const char *const names[] = LA_SAMPLE_TYPE_NAMES;
	static const char *const units[] = LA_SAMPLE_TYPE_UNITS;
	const struct stacks *stacks = resolver->stacks;
	struct pprof_writer *writer = memory_alloc(1, sizeof(*writer));
	profile_message *message = &writer->message;

	writer->resolver = resolver;
	writer->sample = sample;
	memcpy(writer->has, has, sizeof(writer->has));
	writer->location_of = memory_alloc(stacks->frame_count,
					   sizeof(*writer->location_of));
	writer->mapping_of = memory_alloc(stacks->module_count,
					  sizeof(*writer->mapping_of));
	perftools__profiles__profile__init(message);
	text_number(writer, ""); /* has to be the first */
	message->sample_type = new_array(writer, LA_SAMPLE_TYPES,
					 sizeof(*message->sample_type));
	for (int type = 0; type < LA_SAMPLE_TYPES; type++) {
		if (has[type])
			message->sample_type[message->n_sample_type++] =
				new_type(writer, names[type], units[type]);
	}
	message->default_sample_type = text_number(writer, names[sample]);
	message->period_type = new_type(writer, LA_PERIOD_TYPE, LA_UNIT_BYTES);
	return writer;
}

void pprof_writer_comment(struct pprof_writer *writer, const char *key,
			  const char *value)
{
	profile_message *message = &writer->message;
	size_t size = strlen(key) + strlen(value) + 2;
	char *text = memory_resize(NULL, size, 1);

	snprintf(text, size, "%s=%s", key, value);
	message->comment = memory_extend(message->comment, message->n_comment,
					 &writer->comment_capacity,
					 sizeof(*message->comment));
	message->comment[message->n_comment++] = text_number(writer, text);
	free(text);
}

/* ---- frames ---- */

static uint32_t mapping_id(struct pprof_writer *writer, uint32_t number)
{
	profile_message *message = &writer->message;
	const struct module *module;
	mapping_message *mapping;

	if (writer->mapping_of[number])
		return writer->mapping_of[number];
	module = &writer->resolver->stacks->modules[number];
	mapping = NEW(writer, mapping_message);
	perftools__profiles__mapping__init(mapping);
	mapping->id = message->n_mapping + 1;
	mapping->memory_start = module->start;
	mapping->memory_limit = module->limit;
	mapping->file_offset = module->file_offset;
	mapping->filename = text_number(writer, module->path);
	mapping->build_id = text_number(writer, module->build_id);
	message->mapping = memory_extend(message->mapping, message->n_mapping,
					 &writer->mapping_capacity,
					 sizeof(*message->mapping));
	message->mapping[message->n_mapping++] = mapping;
	writer->mapping_of[number] = (uint32_t)mapping->id;
	return writer->mapping_of[number];
}

struct function_key {
	const struct pprof_writer *writer;
	int64_t name, file;
};

static bool same_function(const void *key, uint32_t item)
{
	const struct function_key *wanted = key;
	const function_message *function =
		wanted->writer->message.function[item];

	return function->name == wanted->name &&
	       function->filename == wanted->file;
}

static uint64_t function_id(struct pprof_writer *writer,
			    const struct source_frame *source)
{
	profile_message *message = &writer->message;
	const struct function_key key = {
		writer, text_number(writer, source->function),
		text_number(writer, source->file)};
	uint64_t hash = hash_mix((uint64_t)key.name, (uint64_t)key.file);
	uint32_t number = hash_index_find(&writer->functions, hash,
					  same_function, &key);
	function_message *function;

	if (number != HASH_INDEX_NONE)
		return number + UINT64_C(1);
	function = NEW(writer, function_message);
	perftools__profiles__function__init(function);
	function->id = message->n_function + 1;
	function->name = key.name;
	function->system_name = key.name;
	function->filename = key.file;
	hash_index_add(&writer->functions, hash,
		       (uint32_t)message->n_function);
	message->function = memory_extend(
		message->function, message->n_function,
		&writer->function_capacity, sizeof(*message->function));
	message->function[message->n_function++] = function;
	return function->id;
}

/* Flags of a mapping tell pprof not to look for symbols again. */
static void take_sources(struct pprof_writer *writer,
			 location_message *location,
			 const struct source_frame *sources, uint32_t count)
{
	mapping_message *mapping =
		location->mapping_id ?
			writer->message.mapping[location->mapping_id - 1] :
			NULL;

	location->line = new_array(writer, count, sizeof(*location->line));
	for (uint32_t i = 0; i < count; i++) {
		line_message *line;

		if (!sources[i].function)
			continue;
		line = NEW(writer, line_message);
		perftools__profiles__line__init(line);
		line->function_id = function_id(writer, &sources[i]);
		line->line = sources[i].line;
		location->line[location->n_line++] = line;
		if (!mapping)
			continue;
		mapping->has_functions = true;
		mapping->has_filenames |= sources[i].file != NULL;
		mapping->has_line_numbers |= sources[i].line > 0;
		mapping->has_inline_frames |= sources[i].inlined;
	}
}

static uint32_t location_id(struct pprof_writer *writer, uint32_t number)
{
	profile_message *message = &writer->message;
	const struct stacks *stacks = writer->resolver->stacks;
	const struct frame *frame = &stacks->frames[number];
	const struct source_frame *sources;
	location_message *location;
	uint32_t count;

	if (writer->location_of[number])
		return writer->location_of[number];
	sources = resolver_source(writer->resolver, number, &count);
	location = NEW(writer, location_message);
	perftools__profiles__location__init(location);
	location->id = message->n_location + 1;
	location->address = frame->offset;
	if (frame->module != STACKS_NO_MODULE) {
		const struct module *module = &stacks->modules[frame->module];

		location->mapping_id = mapping_id(writer, frame->module);
		location->address += module->start - module->file_offset;
	}
	take_sources(writer, location, sources, count);
	message->location = memory_extend(
		message->location, message->n_location,
		&writer->location_capacity, sizeof(*message->location));
	message->location[message->n_location++] = location;
	writer->location_of[number] = (uint32_t)location->id;
	return writer->location_of[number];
}

/* ---- samples ---- */

static label_message *add_label(struct pprof_writer *writer,
				sample_message *sample, const char *key)
{
	label_message *label = NEW(writer, label_message);

	perftools__profiles__label__init(label);
	label->key = text_number(writer, key);
	sample->label[sample->n_label++] = label;
	return label;
}

static void add_text(struct pprof_writer *writer, sample_message *sample,
		     const char *key, const char *text)
{
	add_label(writer, sample, key)->str = text_number(writer, text);
}

static void add_errors(struct pprof_writer *writer, sample_message *sample,
		       const int64_t errors[LA_SAMPLE_TYPES])
{
	static const char *const names[] = LA_LABEL_ERROR_NAMES;
	static const char *const units[] = LA_SAMPLE_TYPE_UNITS;

	for (int type = 0; type < LA_SAMPLE_TYPES; type++) {
		label_message *label;

		if (!errors[type])
			continue;
		label = add_label(writer, sample, names[type]);
		label->num = errors[type];
		label->num_unit = text_number(writer, units[type]);
	}
}

void pprof_writer_sample(struct pprof_writer *writer,
			 const struct stack *stack,
			 const int64_t values[LA_SAMPLE_TYPES],
			 const int64_t errors[LA_SAMPLE_TYPES],
			 const char *process)
{
	profile_message *message = &writer->message;
	sample_message *sample = NEW(writer, sample_message);

	perftools__profiles__sample__init(sample);
	sample->n_location_id = stack->depth;
	sample->location_id = new_array(writer, stack->depth,
					sizeof(*sample->location_id));
	for (uint32_t i = 0; i < stack->depth; i++)
		sample->location_id[i] = location_id(writer, stack->frames[i]);
	sample->value = new_array(writer, LA_SAMPLE_TYPES,
				  sizeof(*sample->value));
	for (int type = 0; type < LA_SAMPLE_TYPES; type++) {
		if (writer->has[type])
			sample->value[sample->n_value++] = values[type];
	}
	sample->label = new_array(writer, LABELS, sizeof(*sample->label));
	add_text(writer, sample, LA_LABEL_KIND, kind_name(stack->kind));
	add_errors(writer, sample, errors);
	if (process)
		add_text(writer, sample, "process", process);
	message->sample = memory_extend(message->sample, message->n_sample,
					&writer->sample_capacity,
					sizeof(*message->sample));
	message->sample[message->n_sample++] = sample;
}

/* ---- the whole ---- */

static void write_message(const profile_message *message, FILE *out)
{
	size_t size = perftools__profiles__profile__get_packed_size(message);
	uint8_t *packed = memory_resize(NULL, size, 1);

	perftools__profiles__profile__pack(message, packed);
	gzip_stream_write(out, packed, size);
	free(packed);
}

void pprof_writer_finish(struct pprof_writer *writer, int64_t time_ns,
			 int64_t duration_ns, int64_t period, FILE *out)
{
	profile_message *message = &writer->message;

	message->time_nanos = time_ns;
	message->duration_nanos = duration_ns;
	message->period = period;
	message->string_table = (char **)writer->strings.texts;
	message->n_string_table = writer->strings.count;
	write_message(message, out);
	free(message->sample);
	free(message->mapping);
	free(message->location);
	free(message->function);
	free(message->comment);
	free(writer->location_of);
	free(writer->mapping_of);
	hash_index_free(&writer->functions);
	strings_free(&writer->strings);
	arena_free(&writer->arena);
	free(writer);
}
