#include "app/completion.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>

namespace millrace::app {
namespace {

// "start" -> "--bucket --roles ...", "" -> the verbs; nested verbs are keyed "cdc check".
void collect(const CLI::App& app, const std::string& path, std::vector<std::pair<std::string, std::string>>& words) {
  std::string own;
  for (const auto* sub : app.get_subcommands({})) {
    own += sub->get_name() + " ";
    collect(*sub, path.empty() ? sub->get_name() : path + " " + sub->get_name(), words);
  }
  for (const auto* option : app.get_options()) {
    if (!option->get_lnames().empty()) own += "--" + option->get_lnames().front() + " ";
  }
  words.emplace_back(path, own);
}

std::string bash(const std::vector<std::pair<std::string, std::string>>& words) {
  std::string cases;
  for (const auto& [path, list] : words) cases += fmt::format("    \"{}\") words=\"{}\" ;;\n", path, list);
  return fmt::format(R"(_millrace() {{
  local path="" words="" word
  for word in "${{COMP_WORDS[@]:1:COMP_CWORD-1}}"; do
    case "$word" in -*) break ;; *) path="${{path:+$path }}$word" ;; esac
  done
  case "$path" in
{}    *) words="" ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "${{COMP_WORDS[COMP_CWORD]}}"))
  [ ${{#COMPREPLY[@]}} -gt 0 ] || COMPREPLY=($(compgen -f -- "${{COMP_WORDS[COMP_CWORD]}}"))
}}
complete -F _millrace millrace
)",
                     cases);
}

std::string fish(const std::vector<std::pair<std::string, std::string>>& words) {
  std::string out = "complete -c millrace -e\n";
  for (const auto& [path, list] : words) {
    const std::string condition =
        path.empty() ? "__fish_use_subcommand" : "__fish_seen_subcommand_from " + path.substr(path.rfind(' ') + 1);
    out += fmt::format("complete -c millrace -n '{}' -a '{}'\n", condition, list);
  }
  return out;
}

}  // namespace

std::string completion_script(const CLI::App& app, const std::string& shell) {
  std::vector<std::pair<std::string, std::string>> words;
  collect(app, "", words);
  if (shell == "fish") return fish(words);
  if (shell == "zsh") return "autoload -U +X bashcompinit && bashcompinit\n" + bash(words);
  return bash(words);
}

}  // namespace millrace::app
