// A page in a real browser, for tests: headless Chromium opens it from a file, with every host name
// unknown, and a script put into the page tells what it finds there.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <string>

#include "io/fs.h"
#include "io/json.h"
#include "io/temp_dir.h"

namespace keel {

// Runs before everything else in the page.
inline constexpr const char* kWatch = R"(<script>
window.problems = [];
window.addEventListener("error", (e) => problems.push(String(e.message)));
document.addEventListener("securitypolicyviolation", (e) => problems.push("policy: " + e.blockedURI));
</script>)";

// Calls probe(), a function of the test, and leaves what it returns in the page. Nothing in it may
// be waited for: the browser may have told by then.
inline constexpr const char* kTell = R"(
function tell() {
  let found;
  try { found = probe(); } catch (e) { found = { failed: String(e), problems }; }
  const pre = document.createElement("pre");
  pre.id = "probe-result";
  pre.textContent = JSON.stringify(found).replace(/[<>&]/g, (c) => "\\u00" + c.charCodeAt(0).toString(16));
  document.body.append(pre);
}
tell();
</script></body>)";

// The name of a Chromium on this machine; empty: none.
inline std::string browser() {
  for (const char* name : {"chromium", "chromium-browser", "google-chrome"}) {
    if (std::system(fmt::format("command -v {} > /dev/null", name).c_str()) == 0) return name;
  }
  return "";
}

inline std::string output_of(const std::string& command) {
  std::FILE* pipe = popen(command.c_str(), "r");
  std::string out;
  char buffer[65536];
  for (size_t n; (n = std::fread(buffer, 1, sizeof buffer, pipe)) > 0;) out.append(buffer, n);
  pclose(pipe);
  return out;
}

inline void replace_once(std::string& text, const std::string& mark, const std::string& with) {
  const size_t at = text.rfind(mark);
  ASSERT_NE(at, std::string::npos) << mark;
  text.replace(at, mark.size(), with);
}

// What `probe` ("function probe() {...}") returns in `page`; an empty object where it failed, which
// is then a failure of the test. `options`: more flags of the browser.
inline Json look_at(const TempDir& dir, std::string page, const std::string& probe,
                    const std::string& options = "") {
  const char* head = "<meta charset=\"utf-8\">";
  replace_once(page, head, fmt::format("{}{}", head, kWatch));
  replace_once(page, "</body>", fmt::format("<script>{}{}", probe, kTell));
  real_fs().replace_file(dir / "page.html", page);
  const std::string dom = output_of(fmt::format(
      "timeout 120 {} --headless --no-sandbox --disable-gpu --no-first-run "
      "--blink-settings=preferredColorScheme=1 --window-size=1200,900 {} "
      "--host-resolver-rules='MAP * ~NOTFOUND' --user-data-dir='{}' --virtual-time-budget=3000 "
      "--dump-dom 'file://{}' 2> '{}'",
      browser(), options, dir / "profile", dir / "page.html", dir / "browser.log"));
  const std::string open = "<pre id=\"probe-result\">";
  const size_t begin = dom.find(open);
  if (begin == std::string::npos) {
    ADD_FAILURE() << "the page told nothing; the browser said:\n"
                  << real_fs().read_file(dir / "browser.log", 1 << 20);
    return Json::object();
  }
  const size_t start = begin + open.size();
  const Json found = parse_json(dom.substr(start, dom.find("</pre>", start) - start), "probe");
  const Json* failed = found.find("failed");
  if (failed != nullptr) ADD_FAILURE() << failed->as_string() << found.at("problems").dump();
  return failed == nullptr ? found : Json::object();
}

}  // namespace keel
