// `millrace cdc check FILE`: tries a connector file against its database and changes nothing.
#pragma once

#include <string>

namespace millrace::app {
// Prints the findings; the exit code is 0 when all are good, 1 when one is not, 2 when the file is wrong.
int check_connector(const std::string& file);
}  // namespace millrace::app
