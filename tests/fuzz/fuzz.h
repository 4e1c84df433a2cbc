/*
 * fuzz - what every fuzzer here has in common.
 *
 * A fuzzer is fuzz_NAME.c with LLVMFuzzerTestOneInput, its inputs are the files of corpus/NAME.  It
 * is linked with libFuzzer (-Dfuzz=true, script/fuzz), or with replay.c, which runs the corpus as a
 * test.  Beyond not crashing it asserts what must hold for any input.
 */
#ifndef MAILPUSH_FUZZ_FUZZ_H
#define MAILPUSH_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
