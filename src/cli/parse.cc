// The only user of CLI11. Each command's options are written down here once; help, messages and
// suggestions come from them.

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <optional>
#include <string_view>

#include "cli/commands.h"
#include "config/text.h"
#include "core/error.h"

namespace keel {
namespace {

constexpr const char* kSetHelp = "a config key for this run: model.dim=64";
constexpr const char* kJsonHelp = "end with one JSON object on one line";

class Parser {
 public:
  Parser();
  Command parse(int argc, char** argv);

 private:
  // A command that is parsed into a T.
  template <class T>
  CLI::App* command(CLI::App& under, const std::string& name, const std::string& doc, T& args);
  CLI::App* group(const std::string& name, const std::string& doc);
  void train_commands();
  void use_commands();
  void look_commands();
  void config_commands();
  void run_commands();
  void checkpoint_commands();
  void data_commands();
  void techniques_command();
  void sweep_commands();
  void frontier_command();
  std::string help_text(const std::vector<std::string>& words) const;
  [[noreturn]] void refuse_extras() const;
  const CLI::App* deepest() const;
  // "keel config diff"
  std::string name_of(const CLI::App* app) const;
  std::string help_of(const CLI::App* app) const;

  CLI::App app_{"Trains transformer language models on an even keel."};
  std::optional<Command> chosen_;
  bool version_ = false;
  TrainArgs train_;
  ResumeArgs resume_;
  EvalArgs eval_;
  GenerateArgs generate_;
  PlanArgs plan_;
  BenchArgs bench_;
  CoordCheckArgs coordcheck_;
  ReportArgs report_;
  ConfigShowArgs config_show_;
  ConfigCheckArgs config_check_;
  ConfigSchemaArgs config_schema_;
  ConfigDiffArgs config_diff_;
  RunsLsArgs runs_ls_;
  RunsCompareArgs runs_compare_;
  CkptLsArgs ckpt_ls_;
  CkptVerifyArgs ckpt_verify_;
  CkptDiffArgs ckpt_diff_;
  CkptPruneArgs ckpt_prune_;
  CkptPinArgs ckpt_pin_;
  DataInspectArgs data_inspect_;
  DataShowArgs data_show_;
  TechniquesArgs techniques_;
  SweepArgs sweep_;
  FrontierArgs frontier_;
  SweepStatusArgs sweep_status_;
  SweepRetryArgs sweep_retry_;
  SweepRmArgs sweep_rm_;
  SweepWorkerArgs sweep_worker_;
};

std::vector<std::string> command_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* s : app.get_subcommands([](const CLI::App*) { return true; })) {
    if (!s->get_group().empty()) names.push_back(s->get_name());
  }
  return names;
}

std::vector<std::string> option_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* o : app.get_options()) {
    for (const std::string& n : o->get_lnames()) names.push_back("--" + n);
    for (const std::string& n : o->get_snames()) names.push_back("-" + n);
  }
  return names;
}

void add_sets(CLI::App* c, std::vector<std::string>& sets) {
  c->add_option("--set", sets, kSetHelp)->allow_extra_args(false)->option_text("KEY=VALUE");
}

void add_max_time(CLI::App* c, std::string& value) {
  c->add_option("--max-time", value, "save and end with 75 before that is over: 3h30m")
      ->option_text("TIME");
}

CLI::Option* positional(CLI::App* c, const char* name, std::string& value, const char* doc) {
  return c->add_option(name, value, doc)->required()->option_text(" ");
}

CLI::Option* positionals(CLI::App* c, const char* name, std::vector<std::string>& values,
                         const char* doc) {
  return c->add_option(name, values, doc)->required()->option_text("...");
}

template <class T>
CLI::App* Parser::command(CLI::App& under, const std::string& name, const std::string& doc,
                          T& args) {
  CLI::App* c = under.add_subcommand(name, doc);
  c->final_callback([this, &args] { chosen_ = args; });
  c->set_help_flag("-h,--help", "this text");
  return c;
}

CLI::App* Parser::group(const std::string& name, const std::string& doc) {
  CLI::App* c = app_.add_subcommand(name, doc);
  c->set_help_flag("-h,--help", "this text");
  c->require_subcommand(1);
  return c;
}

void Parser::train_commands() {
  CLI::App* c = command(app_, "train", "train a model from a config", train_);
  positional(c, "CONFIG", train_.config, "TOML file");
  c->add_option("--out", train_.out, "the run's folder, new (default: below runs/)")
      ->option_text("RUN");
  add_sets(c, train_.sets);
  add_max_time(c, train_.max_time);
  c->add_flag("--json", train_.json, kJsonHelp);
  c->add_flag("--quiet", train_.quiet, "no progress, only warnings and errors");

  c = command(app_, "resume", "go on with a run at its newest checkpoint", resume_);
  positional(c, "RUN", resume_.run, "the run's folder");
  add_sets(c, resume_.sets);
  add_max_time(c, resume_.max_time);
  c->add_flag("--changed-data", resume_.changed_data, "even if the data is not what it was");
  c->add_flag("--json", resume_.json, kJsonHelp);
  c->add_flag("--quiet", resume_.quiet, "no progress, only warnings and errors");
}

void Parser::use_commands() {
  CLI::App* c = command(app_, "eval", "mean loss of a trained model on data", eval_);
  positional(c, "RUN", eval_.run, "run or checkpoint");
  c->add_option("--data", eval_.data, "file or folder: text, .jsonl, .bin, .npy")
      ->required()
      ->option_text("FILE");
  c->add_flag("--json", eval_.json, kJsonHelp);

  GenerateOptions& o = generate_.options;
  c = command(app_, "generate", "let a trained model write", generate_);
  positional(c, "RUN", generate_.run, "run or checkpoint");
  c->add_option("-p,--prompt", generate_.prompt, "what to continue; empty: a new document")
      ->option_text("TEXT");
  c->add_option("-n,--tokens", o.tokens, "at most so many new tokens (200)")->option_text("N");
  c->add_option("--temp", o.temperature, "temperature; 0: the likeliest token (1)")
      ->option_text("T");
  c->add_option("--top-k", o.top_k, "only the K likeliest tokens; 0: all")->option_text("K");
  c->add_option("--top-p", o.top_p, "only the likeliest that hold share P (1)")->option_text("P");
  c->add_option("--min-p", o.min_p, "only those with P times the likeliest's")->option_text("P");
  c->add_option("--repetition-penalty", o.repetition_penalty, "above 1: fewer repeats (1)")
      ->option_text("R");
  c->add_option("-s,--seed", o.seed, "of the draws (0)")->option_text("S");
}

void Parser::look_commands() {
  CLI::App* c = command(app_, "plan", "parameters, memory and work of a config", plan_);
  positional(c, "CONFIG", plan_.config, "TOML file");
  add_sets(c, plan_.sets);
  c->add_flag("--json", plan_.json, kJsonHelp);
  c->add_flag("--probe", plan_.probe, "run a few steps and say how long a run takes");

  c = command(app_, "bench", "speed and memory of a config's training steps", bench_);
  positional(c, "CONFIG", bench_.config, "TOML file");
  c->add_option("--steps", bench_.steps, "steps to measure (20)")->option_text("N");
  c->add_option("--discard", bench_.discard, "steps before them that are not (3)")
      ->option_text("N");
  add_sets(c, bench_.sets);
  c->add_option("--against", bench_.against, "in turn with this in place of --set (\"\": as it is)")
      ->allow_extra_args(false)
      ->option_text("KEY=VALUE");
  c->add_flag("--json", bench_.json, kJsonHelp);

  c = command(app_, "coordcheck", "whether activations keep their size with width", coordcheck_);
  positional(c, "CONFIG", coordcheck_.config, "TOML file; other widths in proportion");
  c->add_option("--widths", coordcheck_.widths, "values of model.dim (64,128,256,512)")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->option_text("N,N,...");
  c->add_option("--steps", coordcheck_.steps, "steps of training at each width (10)")
      ->option_text("N");
  c->add_option("--seeds", coordcheck_.seeds, "models at each width (3)")->option_text("N");
  add_sets(c, coordcheck_.sets);
  c->add_flag("--json", coordcheck_.json, kJsonHelp);
  c->add_option("-o,--output", coordcheck_.out, "also a picture: an .svg file")
      ->option_text("FILE");

  c = command(app_, "report", "one page, or a picture, of runs", report_);
  positionals(c, "RUN", report_.runs, "runs");
  c->add_option("-o,--output", report_.out, "the file: .html, or .svg for one run")
      ->required()
      ->option_text("FILE");
}

void Parser::config_commands() {
  CLI::App* g = group("config", "look at configs");
  const char* what = "TOML file, or a run";
  CLI::App* c = command(*g, "show", "all values and where they come from", config_show_);
  positional(c, "CONFIG", config_show_.config, what);
  add_sets(c, config_show_.sets);
  c = command(*g, "check", "all errors, if there are any", config_check_);
  positional(c, "CONFIG", config_check_.config, what);
  add_sets(c, config_check_.sets);
  c = command(*g, "schema", "JSON schema of the TOML file", config_schema_);
  positional(c, "CONFIG", config_schema_.config, "whose values are the defaults")->required(false);
  c = command(*g, "diff", "keys whose values differ", config_diff_);
  positional(c, "A", config_diff_.a, what);
  positional(c, "B", config_diff_.b, what);
}

void Parser::run_commands() {
  CLI::App* g = group("runs", "look at runs");
  CLI::App* c = command(*g, "ls", "the runs in a folder", runs_ls_);
  positional(c, "DIR", runs_ls_.folder, "folder (runs)")->required(false);
  c->add_flag("--json", runs_ls_.json, kJsonHelp);
  c = command(*g, "compare", "figures and settings of runs side by side", runs_compare_);
  positionals(c, "RUN", runs_compare_.runs, "runs");
  c->add_flag("--json", runs_compare_.json, kJsonHelp);
}

void Parser::checkpoint_commands() {
  CLI::App* g = group("ckpt", "look at checkpoints and keep them in order");
  const char* what = "run (its newest) or checkpoint";
  CLI::App* c = command(*g, "ls", "the checkpoints of a run, and whether they verify", ckpt_ls_);
  positional(c, "RUN", ckpt_ls_.run, "the run's folder");
  c->add_flag("--quick", ckpt_ls_.quick, "read the manifests alone, verify no data");
  c->add_flag("--json", ckpt_ls_.json, kJsonHelp);
  c = command(*g, "verify", "read every byte; exit 3 names file and tensor", ckpt_verify_);
  positional(c, "RUN", ckpt_verify_.from, what);
  c->add_flag("--json", ckpt_verify_.json, kJsonHelp);
  c = command(*g, "diff", "exit 1 names the first tensor that differs", ckpt_diff_);
  positional(c, "A", ckpt_diff_.a, what);
  positional(c, "B", ckpt_diff_.b, what);
  c->add_flag("--json", ckpt_diff_.json, kJsonHelp);
  c = command(*g, "prune", "remove old checkpoints, or one", ckpt_prune_);
  positional(c, "RUN", ckpt_prune_.from, "a run, or the checkpoint to remove");
  c->add_option("--keep", ckpt_prune_.keep, "newest that verify (checkpoint.keep)")
      ->option_text("N");
  c->add_option("--keep-every", ckpt_prune_.keep_every, "and multiples (checkpoint.keep_every)")
      ->option_text("N");
  c->add_flag("--dry-run", ckpt_prune_.dry_run, "say what would be removed");
  c->add_flag("--json", ckpt_prune_.json, kJsonHelp);
  c = command(*g, "pin", "keep a checkpoint from being removed", ckpt_pin_);
  positional(c, "RUN", ckpt_pin_.from, what);
  c->add_flag("--remove", ckpt_pin_.remove, "no longer");
  c->add_flag("--json", ckpt_pin_.json, kJsonHelp);
}

void Parser::data_commands() {
  CLI::App* g = group("data", "look at data");
  CLI::App* c = command(*g, "inspect", "what is in a file or folder", data_inspect_);
  positional(c, "FILE", data_inspect_.file, "text, .jsonl, .jsonl.zst, .bin, .npy");
  c->add_flag("--json", data_inspect_.json, kJsonHelp);
  c = command(*g, "show", "the sequences of a step and their losses", data_show_);
  positional(c, "RUN", data_show_.run, "the run's folder");
  c->add_option("--step", data_show_.step, "as the log numbers them, from 1")
      ->required()
      ->option_text("N");
}

void Parser::techniques_command() {
  CLI::App* c = command(app_, "techniques", "the techniques, or all about one", techniques_);
  positional(c, "NAME", techniques_.name, "one of them")->required(false);
  c->add_flag("--json", techniques_.json, "all of them as one JSON array on one line");
  c->add_option("--docs", techniques_.docs, "write the pages of docs/techniques")
      ->option_text("DIR");
}

void Parser::sweep_commands() {
  CLI::App* g = app_.add_subcommand("sweep", "trials of many values and seeds, side by side");
  g->set_help_flag("-h,--help", "this text");
  positional(g, "SWEEP", sweep_.file, "TOML file: base, seeds, [grid] or list")->required(false);
  g->add_option("--out", sweep_.out, "the sweep's folder; one that is there is gone on with")
      ->option_text("DIR");
  g->add_option("--jobs", sweep_.jobs, "trials at a time (jobs of the file, else the cores)")
      ->option_text("N");
  g->add_flag("--dry-run", sweep_.dry_run, "print the trials and how long they may take");
  g->add_flag("--yes", sweep_.yes, "also more trials than max_trials");
  add_max_time(g, sweep_.max_time);
  g->add_flag("--json", sweep_.json, kJsonHelp);
  g->final_callback([this, g] {
    if (!g->get_subcommands().empty()) return;
    if (sweep_.file.empty()) throw ConfigError("SWEEP is required; see keel sweep --help");
    chosen_ = sweep_;
  });
  const char* what = "the sweep's folder";
  CLI::App* c = command(*g, "status", "how many trials are done", sweep_status_);
  positional(c, "DIR", sweep_status_.out, what);
  c->add_flag("--json", sweep_status_.json, kJsonHelp);
  c = command(*g, "retry", "let trials that failed be tried again", sweep_retry_);
  positional(c, "DIR", sweep_retry_.out, what);
  c = command(*g, "rm", "remove a sweep and all its results", sweep_rm_);
  positional(c, "DIR", sweep_rm_.out, what);
  c = command(app_, "sweep-worker", "a worker of a sweep, which starts it", sweep_worker_);
  c->group("");
  positional(c, "DIR", sweep_worker_.out, what);
  c->add_option("--core", sweep_worker_.core, "which of the cores it runs on")->option_text("K");
  c->add_option("--parent", sweep_worker_.parent, "the process whose end is its own")
      ->option_text("PID");
}

void Parser::frontier_command() {
  CLI::App* c =
      command(app_, "frontier", "how far a rate can go in each of some recipes", frontier_);
  positional(c, "FRONTIER", frontier_.file, "TOML file: base, seeds, arms, start");
  c->add_option("--out", frontier_.out, "its folder; one that is there is gone on with")
      ->option_text("DIR");
  c->add_option("--jobs", frontier_.jobs, "trials at a time (as many as cores)")->option_text("N");
  c->add_flag("--dry-run", frontier_.dry_run, "print how many trials and how long they may take");
  c->add_flag("--yes", frontier_.yes, "also more trials than max_trials");
  add_max_time(c, frontier_.max_time);
  c->add_flag("--json", frontier_.json, kJsonHelp);
}

Parser::Parser() {
  app_.name("keel");
  app_.set_help_flag("-h,--help", "this text");
  app_.add_flag("--version", version_, "version, build, instruction set, libraries");
  app_.get_formatter()->column_width(26);
  app_.footer("keel COMMAND --help says more; keel help exit-codes, keel help keys.");
  train_commands();
  use_commands();
  look_commands();
  config_commands();
  run_commands();
  checkpoint_commands();
  data_commands();
  techniques_command();
  sweep_commands();
  frontier_command();
  // Answered before the others are parsed: its words are names of commands. Here for the list.
  app_.add_subcommand("help", "help on a command, exit-codes, or the keys of a config");
}

std::string Parser::help_text(const std::vector<std::string>& words) const {
  if (words.size() == 1 && words[0] == "exit-codes") return exit_codes_text();
  if (words.size() == 1 && words[0] == "keys") return keys_text();
  const CLI::App* at = &app_;
  for (const std::string& word : words) {
    std::vector<std::string> topics = command_names(*at);
    if (std::find(topics.begin(), topics.end(), word) == topics.end()) {
      topics.push_back("exit-codes");
      topics.push_back("keys");
      throw ConfigError(fmt::format("help: no topic \"{}\"{} (known: {})", word,
                                    suggestion(word, topics), fmt::join(topics, " ")));
    }
    at = at->get_subcommand(word);
  }
  return help_of(at);
}

// The command that the command line names, as far as it could be followed.
const CLI::App* Parser::deepest() const {
  const CLI::App* at = &app_;
  while (!at->get_subcommands().empty()) at = at->get_subcommands().front();
  return at;
}

std::string Parser::name_of(const CLI::App* app) const {
  if (app == &app_) return app_.get_name();
  return name_of(app->get_parent()) + " " + app->get_name();
}

std::string Parser::help_of(const CLI::App* app) const {
  return app->help(app == &app_ ? "" : name_of(app->get_parent()));
}

void Parser::refuse_extras() const {
  const CLI::App* at = deepest();
  const std::string word = app_.remaining(true).front();
  const std::string name = name_of(at);
  const std::vector<std::string> commands = command_names(*at);
  if (!word.starts_with('-') && !commands.empty()) {
    throw ConfigError(fmt::format("unknown command \"{}\"{} (known: {})", word,
                                  suggestion(word, commands), fmt::join(commands, " ")));
  }
  const std::string option = word.substr(0, word.find('='));
  throw ConfigError(fmt::format("unexpected {} \"{}\"{}; {} --help lists what it takes",
                                word.starts_with('-') ? "option" : "argument", option,
                                suggestion(option, option_names(*at)), name));
}

Command Parser::parse(int argc, char** argv) {
  if (argc > 1 && std::string_view(argv[1]) == "help") {
    std::vector<std::string> words(argv + 2, argv + argc);
    std::erase_if(words, [](const std::string& w) { return w.starts_with('-'); });
    return TextArgs{help_text(words)};
  }
  try {
    app_.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    return TextArgs{help_of(deepest())};
  } catch (const CLI::ExtrasError&) {
    refuse_extras();
  } catch (const CLI::ParseError& e) {
    if (!app_.remaining(true).empty()) refuse_extras();
    throw ConfigError(fmt::format("{}; see {} --help", e.what(), name_of(deepest())));
  }
  if (version_) return VersionArgs{};
  if (!chosen_) {
    throw ConfigError(fmt::format("no command; one of: {} (keel --help says more)",
                                  fmt::join(command_names(app_), " ")));
  }
  return *chosen_;
}

}  // namespace

Command parse_command_line(int argc, char** argv) { return Parser().parse(argc, argv); }

}  // namespace keel
