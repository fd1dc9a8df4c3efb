#include "stratos/http/static_files.hpp"

#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdlib.h>

#include "stratos/base/error.hpp"

namespace stratos::http {
namespace {

namespace fs = std::filesystem;

class StaticFilesTest : public ::testing::Test {
 protected:
  StaticFilesTest() {
    std::string name = (fs::temp_directory_path() / "stratos-static-XXXXXX").string();
    root_ = ::mkdtemp(name.data());
    write("site/index.html", "<html>front</html>");
    write("site/app.js", std::string(4000, 'x'));
    write("site/logo.png", "0123456789");
    write("site/docs/index.html", "docs");
    write("outside.txt", "secret");
    fs::create_symlink(root_ / "outside.txt", root_ / "site/link.txt");
    fs::create_symlink(root_, root_ / "site/up");
    fs::create_symlink("logo.png", root_ / "site/inner.png");
  }
  ~StaticFilesTest() override {
    std::error_code ignored;
    fs::remove_all(root_, ignored);
  }

  void write(const std::string& name, const std::string& text) {
    fs::create_directories((root_ / name).parent_path());
    std::ofstream(root_ / name) << text;
  }
  Response ask(const std::string& target, Headers headers = {}, const std::string& method = "GET") {
    StaticFiles files(root_ / "site");
    Request request;
    request.method = method;
    request.target = target;
    request.headers = std::move(headers);
    return files.handle(request);
  }
  std::string text(const std::string& target, Headers headers = {}) {
    Response response = ask(target, std::move(headers));
    return std::to_string(response.status) + " " + response.body.readAll(10000);
  }

  fs::path root_;
};

TEST_F(StaticFilesTest, ServesFilesFoldersAndTheFrontEnd) {
  EXPECT_EQ(text("/logo.png?v=1"), "200 0123456789");
  EXPECT_EQ(text("/inner.png"), "200 0123456789");
  EXPECT_EQ(text("/docs"), "200 docs");
  EXPECT_EQ(text("/"), "200 <html>front</html>");
  EXPECT_EQ(text("/endpoints/some/route"), "200 <html>front</html>");
  EXPECT_EQ(ask("/app.js").headers.get("Content-Type"), "text/javascript; charset=utf-8");
  EXPECT_EQ(ask("/", {}, "POST").status, 404);
}

TEST_F(StaticFilesTest, NeverLeavesItsFolder) {
  for (const char* target : {"/../outside.txt", "/%2e%2e/outside.txt",
                             "/docs/..%2f..%2foutside.txt", "/a%00b", "/%zz"}) {
    EXPECT_EQ(ask(target).status, 400) << target;
  }
  for (const char* target : {"/link.txt", "/up/outside.txt", "//etc/passwd", "/%2fetc%2fpasswd"}) {
    EXPECT_EQ(text(target), "200 <html>front</html>") << target;
  }
}

TEST_F(StaticFilesTest, AnswersConditionalRequests) {
  const std::string date(ask("/logo.png").headers.get("Last-Modified"));
  EXPECT_EQ(text("/logo.png", {{"If-Modified-Since", date}}), "304 ");
  EXPECT_EQ(ask("/logo.png", {{"If-Modified-Since", "Sun, 06 Nov 1994 08:49:37 GMT"}}).status, 200);
}

TEST_F(StaticFilesTest, AnswersSingleRanges) {
  EXPECT_EQ(text("/logo.png", {{"Range", "bytes=2-4"}}), "206 234");
  EXPECT_EQ(text("/logo.png", {{"Range", "bytes=7-"}}), "206 789");
  EXPECT_EQ(text("/logo.png", {{"Range", "bytes=-2"}}), "206 89");
  EXPECT_EQ(text("/logo.png", {{"Range", "bytes=5-99"}}), "206 56789");
  EXPECT_EQ(ask("/logo.png", {{"Range", "bytes=2-4"}}).headers.get("Content-Range"),
            "bytes 2-4/10");
  EXPECT_EQ(ask("/logo.png", {{"Range", "bytes=10-"}}).status, 416);
  EXPECT_EQ(text("/logo.png", {{"Range", "bytes=4-2"}}), "200 0123456789");
  EXPECT_EQ(text("/logo.png", {{"Range", "bytes=0-1,3-4"}}), "200 0123456789");
  EXPECT_EQ(text("/logo.png", {{"Range", "bytes=0-1"}, {"If-Range", "\"tag\""}}), "200 0123456789");
}

TEST_F(StaticFilesTest, CompressesTextWhenTheClientTakesIt) {
  Response response = ask("/app.js", {{"Accept-Encoding", "br, gzip;q=0.8"}});
  EXPECT_EQ(response.headers.get("Content-Encoding"), "gzip");
  Body plain(makeInflatingSource(std::move(response.body), true));
  EXPECT_EQ(plain.readAll(10000), std::string(4000, 'x'));
  EXPECT_FALSE(ask("/app.js", {{"Accept-Encoding", "gzip;q=0"}}).headers.has("Content-Encoding"));
  EXPECT_FALSE(ask("/logo.png", {{"Accept-Encoding", "gzip"}}).headers.has("Content-Encoding"));
}

TEST_F(StaticFilesTest, NamesWithAHashMayBeKeptForEver) {
  for (const char* name : {"main.3f2a1b9c4d5e6f70.js", "chunk-QX7B2A6D.js", "a-0123456789abcdef0.css"}) {
    write(std::string("site/") + name, "x");
    EXPECT_THAT(std::string(ask(std::string("/") + name).headers.get("Cache-Control")),
                ::testing::HasSubstr("immutable"))
        << name;
  }
  for (const char* name : {"index.html", "app.js", "zone-evergreen.js", "jquery-3.7.1.js",
                           "chunk-qx7b2a9d.js", "data.20240101.json", "terms-20240101.pdf", ".0123456789abcdef"}) {
    write(std::string("site/") + name, "x");
    EXPECT_FALSE(ask(std::string("/") + name).headers.has("Cache-Control")) << name;
  }
  // What is not there is the front end, which is new with each release.
  EXPECT_FALSE(ask("/gone.3f2a1b9c4d5e6f70.js").headers.has("Cache-Control"));
}

TEST_F(StaticFilesTest, NeedsAFolder) {
  EXPECT_THROW(StaticFiles(root_ / "missing"), Error);
  EXPECT_THROW(StaticFiles(root_ / "outside.txt"), Error);
}

}  // namespace
}  // namespace stratos::http
