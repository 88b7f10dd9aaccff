#include "app/demo/postgres.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <libpq-fe.h>
#include <netinet/in.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>
#include <vector>

namespace millrace::app {
namespace {
namespace fs = std::filesystem;

std::optional<std::string> find_binary(const std::string& name) {
  std::vector<fs::path> places;
  for (const char* version : {"17", "16", "15", "14"})
    places.emplace_back(fs::path("/usr/lib/postgresql") / version / "bin");
  for (const char* place : {"/usr/bin", "/usr/local/bin", "/usr/local/pgsql/bin"}) places.emplace_back(place);
  for (const auto& place : places) {
    if (access((place / name).c_str(), X_OK) == 0) return (place / name).string();
  }
  return std::nullopt;
}

// Postgres refuses to run as root.
const passwd* unprivileged_user() {
  if (geteuid() != 0) return nullptr;
  const passwd* user = getpwnam("postgres");
  return user ? user : getpwnam("nobody");
}

// Starts `arguments` with output appended to `log`; the child dies with this process.
int spawn(const std::vector<std::string>& arguments, const std::string& log) {
  std::vector<char*> argv;
  for (const auto& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  const passwd* user = unprivileged_user();
  const int pid = fork();
  if (pid != 0) return pid;
  setsid();  // Ctrl-C at the terminal is for the parent, which stops us in order
  const int out = open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
  if (out >= 0) {
    dup2(out, 1);
    dup2(out, 2);
  }
  if (user && (setgid(user->pw_gid) != 0 || setuid(user->pw_uid) != 0)) _exit(126);
  prctl(PR_SET_PDEATHSIG, SIGQUIT);
  execv(argv[0], argv.data());
  _exit(127);
}

std::uint16_t free_port() {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  std::uint16_t port = 0;
  if (bind(fd, reinterpret_cast<sockaddr*>(&address), size) == 0 &&
      getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0) {
    port = ntohs(address.sin_port);
  }
  close(fd);
  return port;
}

std::string tail_of(const std::string& path) {
  std::ifstream file(path);
  std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  return text.size() > 600 ? text.substr(text.size() - 600) : text;
}

void pause_ms(long milliseconds) {
  const timespec wait{milliseconds / 1000, milliseconds % 1000 * 1'000'000};
  nanosleep(&wait, nullptr);
}

}  // namespace

PrivatePostgres::PrivatePostgres(std::string directory, int pid, std::uint16_t port)
    : directory_(std::move(directory)), pid_(pid), port_(port) {}

Result<std::unique_ptr<PrivatePostgres>> PrivatePostgres::start(std::string directory) {
  const auto initdb = find_binary("initdb"), server = find_binary("postgres");
  if (!initdb || !server) {
    return fail(Code::kNotFound, "no PostgreSQL server found; install the package postgresql-15 (`make demo` does)");
  }
  std::error_code error;
  fs::create_directories(directory, error);
  if (error) return fail(Code::kDenied, "cannot create '" + directory + "': " + error.message());
  directory = fs::absolute(directory).string();
  if (const passwd* user = unprivileged_user()) {
    if (chown(directory.c_str(), user->pw_uid, user->pw_gid) != 0)
      return fail(Code::kDenied, "cannot give '" + directory + "' to " + user->pw_name);
  }
  const std::string data = directory + "/data", log = directory + "/postgres.log";
  {
    std::ofstream(log).put('\n');
  }
  if (const passwd* user = unprivileged_user()) (void)!chown(log.c_str(), user->pw_uid, user->pw_gid);
  int status = 0;
  const int init =
      spawn({*initdb, "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"}, log);
  if (init < 0 || waitpid(init, &status, 0) != init || status != 0) {
    return fail(Code::kInternal, "initdb failed; is every folder above '" + directory +
                                     "' open to the user it runs as? Its output ends: " + tail_of(log));
  }
  const std::uint16_t port = free_port();
  const int pid = spawn({*server,
                         "-D",
                         data,
                         "-p",
                         std::to_string(port),
                         "-c",
                         "listen_addresses=127.0.0.1",
                         "-c",
                         "wal_level=logical",
                         "-c",
                         "unix_socket_directories=",
                         "-c",
                         "max_wal_senders=8",
                         "-c",
                         "max_replication_slots=8",
                         "-c",
                         "shared_buffers=256MB",
                         "-c",
                         "max_wal_size=2GB",
                         "-c",
                         "wal_writer_delay=10ms"},
                        log);
  if (pid < 0) return fail(Code::kInternal, "cannot start a process");
  std::unique_ptr<PrivatePostgres> postgres(new PrivatePostgres(directory, pid, port));
  for (int attempt = 0; attempt < 300; ++attempt) {
    if (PQping(postgres->conninfo().c_str()) == PQPING_OK) return postgres;
    if (!postgres->alive()) break;
    pause_ms(100);
  }
  return fail(Code::kInternal, "Postgres did not start; its log ends: " + tail_of(log));
}

PrivatePostgres::~PrivatePostgres() { stop(); }

bool PrivatePostgres::alive() { return pid_ > 0 && waitpid(pid_, nullptr, WNOHANG) == 0; }

void PrivatePostgres::stop() {
  if (pid_ <= 0) return;
  for (int signal : {SIGINT, SIGQUIT, SIGKILL}) {
    kill(pid_, signal);
    for (int i = 0; i < 100; ++i) {
      if (waitpid(pid_, nullptr, WNOHANG) != 0) {
        pid_ = 0;
        return;
      }
      pause_ms(10);
    }
  }
}

std::string PrivatePostgres::conninfo(std::string_view database) const {
  return fmt::format("host=127.0.0.1 port={} user=postgres dbname={} connect_timeout=5", port_, database);
}

Result<PgSession> PgSession::connect(const std::string& conninfo) {
  PGconn* connection = PQconnectdb(conninfo.c_str());
  PgSession session(connection);
  if (PQstatus(connection) != CONNECTION_OK) return fail(Code::kUnavailable, PQerrorMessage(connection));
  return session;
}

PgSession::~PgSession() {
  if (connection_) PQfinish(static_cast<PGconn*>(connection_));
}

Result<std::string> PgSession::run(const std::string& sql) {
  PGresult* result = PQexec(static_cast<PGconn*>(connection_), sql.c_str());
  const auto status = PQresultStatus(result);
  std::string first = PQntuples(result) > 0 && PQnfields(result) > 0 ? PQgetvalue(result, 0, 0) : "";
  PQclear(result);
  if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) {
    return fail(Code::kInvalid, PQerrorMessage(static_cast<PGconn*>(connection_)));
  }
  return first;
}

}  // namespace millrace::app
