// The command line: verbs, flags, help, exit codes. 0 done, 1 failed, 2 wrong usage.
#pragma once

namespace millrace::app {
int run(int argc, char** argv, char** environment);
}
