#include <malloc.h>

#include <csignal>

#include "app/cli.h"

extern char** environ;

int main(int argc, char** argv) {
  // Large buffers come from the heap and stay there: a page that the process touched once costs a tenth
  // of a fresh one from the kernel.
  mallopt(M_MMAP_THRESHOLD, 1 << 30);
  mallopt(M_TRIM_THRESHOLD, 512 << 20);
  std::signal(SIGPIPE, SIG_IGN);
  return millrace::app::run(argc, argv, environ);
}
