/* See symbols.h; the tables are those of the ELF specification and of GNU's hash. */

#include "agent/symbols.h"

#include "agent/system.h"

#include <elf.h>
#include <link.h>
#include <stddef.h>
#include <string.h>

enum { MOST_OBJECTS = 128 };

struct tables {
	const ElfW(Dyn) *dynamic;
	const char *strings;
	const ElfW(Sym) *symbols;
	const uint32_t *gnu_hash, *hash;
	ElfW(Xword) soname; /* 0: none */
};

/* The loader has made addresses of them, unless they are not writable. */
static const void *table_at(const struct la_module *module, ElfW(Addr) value)
{
	return (const void *)(value < module->base ? module->base + value :
						     value);
}

static struct tables tables_of(const struct la_module *module)
{
	const ElfW(Dyn) *entry = (const void *)module->dynamic;
	struct tables tables = { .dynamic = entry };

	for (; entry && entry->d_tag != DT_NULL; entry++) {
		const void *table = table_at(module, entry->d_un.d_ptr);

		switch (entry->d_tag) {
		case DT_STRTAB:
			tables.strings = table;
			break;
		case DT_SYMTAB:
			tables.symbols = table;
			break;
		case DT_GNU_HASH:
			tables.gnu_hash = table;
			break;
		case DT_HASH:
			tables.hash = table;
			break;
		case DT_SONAME:
			tables.soname = entry->d_un.d_val;
			break;
		default:
			break;
		}
	}
	return tables;
}

const char *la_symbols_soname(const struct la_module *module)
{
	struct tables tables = tables_of(module);

	return tables.strings && tables.soname ?
		       tables.strings + tables.soname :
		       "";
}

/* Whether it is a definition of a function of that name for others. */
static bool fits(const struct tables *tables, const ElfW(Sym) *symbol,
		 const char *name)
{
	return symbol->st_shndx != SHN_UNDEF &&
	       ELF64_ST_TYPE(symbol->st_info) == STT_FUNC &&
	       ELF64_ST_BIND(symbol->st_info) != STB_LOCAL &&
	       !strcmp(tables->strings + symbol->st_name, name);
}

static const ElfW(Sym) *find_by_gnu_hash(const struct tables *tables,
					 const char *name)
{
	const uint32_t buckets = tables->gnu_hash[0];
	const uint32_t first = tables->gnu_hash[1];
	const uint32_t filter_words = tables->gnu_hash[2];
	const uint32_t *bucket = tables->gnu_hash + 4 +
				 filter_words * (sizeof(ElfW(Addr)) /
						 sizeof(uint32_t));
	const uint32_t *chain = bucket + buckets;
	uint32_t hash = 5381, at;

	for (const char *letter = name; *letter; letter++)
		hash = hash * 33 + (unsigned char)*letter;
	at = buckets ? bucket[hash % buckets] : 0;
	if (at < first)
		return NULL;
	for (;; at++) {
		uint32_t entry = chain[at - first];

		if ((entry | 1) == (hash | 1) &&
		    fits(tables, &tables->symbols[at], name))
			return &tables->symbols[at];
		if (entry & 1)
			return NULL;
	}
}

static const ElfW(Sym) *find_by_hash(const struct tables *tables,
				     const char *name)
{
	const uint32_t buckets = tables->hash[0];
	const uint32_t *bucket = tables->hash + 2, *chain = bucket + buckets;
	uint32_t hash = 0;

	for (const char *letter = name; *letter; letter++) {
		hash = (hash << 4) + (unsigned char)*letter;
		hash = (hash ^ (hash >> 24 & 0xf0)) & 0x0fffffff;
	}
	for (uint32_t at = buckets ? bucket[hash % buckets] : 0; at;
	     at = chain[at])
		if (fits(tables, &tables->symbols[at], name))
			return &tables->symbols[at];
	return NULL;
}

static void *find_in(const struct la_module *module,
		     const struct tables *tables, const char *name)
{
	const ElfW(Sym) *symbol = NULL;

	if (!tables->strings || !tables->symbols)
		return NULL;
	if (tables->gnu_hash)
		symbol = find_by_gnu_hash(tables, name);
	else if (tables->hash)
		symbol = find_by_hash(tables, name);
	return symbol ? (void *)(module->base + symbol->st_value) : NULL;
}

struct queue {
	uint32_t modules[MOST_OBJECTS];
	unsigned count;
};

static void enqueue(struct queue *queue, uint32_t module)
{
	for (unsigned i = 0; i < queue->count; i++)
		if (queue->modules[i] == module)
			return;
	if (module && queue->count < MOST_OBJECTS)
		queue->modules[queue->count++] = module;
}

static void enqueue_needed(struct queue *queue, const struct tables *tables)
{
	const ElfW(Dyn) *entry = tables->dynamic;

	for (; entry && tables->strings && entry->d_tag != DT_NULL; entry++)
		if (entry->d_tag == DT_NEEDED)
			enqueue(queue,
				la_modules_named(tables->strings +
						 entry->d_un.d_val));
}

void *la_symbols_find(uint32_t module, const char *name)
{
	struct queue queue = { .count = 0 };
	void *found = NULL;

	enqueue(&queue, module);
	for (unsigned i = 0; !found && i < queue.count; i++) {
		const struct la_module *object =
			la_module_at(queue.modules[i]);
		struct tables tables = tables_of(object);

		/* The agent's own are those that are looked for a next one. */
		if (!object->ours)
			found = find_in(object, &tables, name);
		enqueue_needed(&queue, &tables);
	}
	return found;
}

bool la_symbols_needs(uint32_t module, uint32_t other)
{
	struct queue queue = { .count = 0 };

	enqueue(&queue, module);
	for (unsigned i = 0; i < queue.count; i++) {
		struct tables tables = tables_of(la_module_at(queue.modules[i]));

		if (i && queue.modules[i] == other)
			return true;
		enqueue_needed(&queue, &tables);
	}
	return false;
}
