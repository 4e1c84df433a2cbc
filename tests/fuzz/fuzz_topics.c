/* The extension of Apple's certificates that lists topics, as it stands in a file. */
#include "credential/topics.h"

#include "fuzz.h"

#include <assert.h>
#include <string.h>

static void assert_well_formed(const struct topics *topics)
{
	assert(topics->count <= TOPICS_MAX);
	for (unsigned i = 0; i < topics->count; i++) {
		const char *topic = topics->topic[i];
		size_t size = strlen(topic);
		assert(size > 0 && size < TOPICS_TOPIC_SIZE);
		for (size_t j = 0; j < size; j++)
			assert(topic[j] > ' ' && topic[j] <= '~');
		for (unsigned j = 0; j < i; j++)
			assert(strcmp(topics->topic[j], topic) != 0);
		assert(topics_has(topics, topic));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char uid[] = "com.apple.mail.XServer.1";
	struct topics topics = {0};
	topics_add(&topics, uid, strlen(uid));
	topics_read_extension(&topics, data, size);
	assert_well_formed(&topics);
	assert(topics.count >= 1 && strcmp(topics.topic[0], uid) == 0);

	/* Once more adds nothing. */
	unsigned count = topics.count;
	topics_read_extension(&topics, data, size);
	assert(topics.count == count);
	topics_fini(&topics);
	return 0;
}
