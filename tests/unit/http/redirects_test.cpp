#include <functional>
#include <vector>

#include <gtest/gtest.h>

#include "stratos/http/transport.hpp"

namespace stratos::http {
namespace {

class ScriptedTransport final : public Transport {
 public:
  explicit ScriptedTransport(std::vector<std::pair<int, std::string>> script)
      : script_(std::move(script)) {}

  ClientResponse exchange(ClientRequest& request) override {
    const std::string body =
        request.body.isStream() ? request.body.readAll(100) : request.body.bytes();
    seen.push_back(request.method + " " + request.url.str() + " " + body +
                   (request.headers.has("Authorization") ? " auth" : "") +
                   (request.trust.identity.empty() ? "" : " certificate"));
    const std::size_t at = seen.size() - 1;
    ClientResponse response;
    response.status = at < script_.size() ? script_[at].first : 200;
    if (at < script_.size()) response.headers.set("Location", script_[at].second);
    return response;
  }

  std::vector<std::string> seen;

 private:
  std::vector<std::pair<int, std::string>> script_;
};

ClientRequest makeRequest(const std::string& method, const std::string& url,
                          std::string body = "") {
  ClientRequest request{method, Url::parse(url),  {{"Authorization", "x"}}, Body(std::move(body)),
                        {},     Deadline::never()};
  return request;
}

TEST(RedirectsTest, ResolvesReferences) {
  ScriptedTransport transport(
      {{302, "c?d"}, {302, "?e#f"}, {302, "/g/../h/./i"}, {302, "//a:81/x"}, {302, "../../up"}});
  EXPECT_EQ(followRedirects(transport, makeRequest("GET", "http://a/b/x")).status, 200);
  EXPECT_EQ(transport.seen,
            (std::vector<std::string>{"GET http://a/b/x  auth", "GET http://a/b/c?d  auth",
                                      "GET http://a/b/c?e  auth", "GET http://a/h/i  auth",
                                      "GET http://a:81/x ", "GET http://a:81/up "}));
}

TEST(RedirectsTest, MethodsFollowTheStatus) {
  ScriptedTransport keep({{307, "/2"}, {308, "/3"}});
  (void)followRedirects(keep, makeRequest("POST", "https://a/1", "body"));
  EXPECT_EQ(keep.seen.back(), "POST https://a/3 body auth");
  ScriptedTransport change({{303, "/2"}});
  (void)followRedirects(change, makeRequest("POST", "https://a/1", "body"));
  EXPECT_EQ(change.seen.back(), "GET https://a/2  auth");
  ScriptedTransport head({{301, "/2"}});
  (void)followRedirects(head, makeRequest("HEAD", "https://a/1"));
  EXPECT_EQ(head.seen.back(), "HEAD https://a/2  auth");
}

TEST(RedirectsTest, AnotherHostSeesNoCredentials) {
  ScriptedTransport transport({{302, "/2"}, {307, "https://b/3"}});
  ClientRequest request = makeRequest("GET", "https://a/1");
  request.trust.identity = {"certificate", Secret{"key"}};
  (void)followRedirects(transport, std::move(request));
  EXPECT_EQ(transport.seen,
            (std::vector<std::string>{"GET https://a/1  auth certificate",
                                      "GET https://a/2  auth certificate", "GET https://b/3 "}));
}

TEST(RedirectsTest, NeverLeadsFromHttpsToHttp) {
  ScriptedTransport transport({{302, "http://a/"}});
  EXPECT_EQ(followRedirects(transport, makeRequest("GET", "https://a/")).status, 302);
  EXPECT_EQ(transport.seen.size(), 1U);
}

TEST(RedirectsTest, StopsAtTheLimit) {
  ScriptedTransport transport(std::vector<std::pair<int, std::string>>(50, {302, "/x"}));
  EXPECT_EQ(followRedirects(transport, makeRequest("GET", "https://a/"), 3).status, 302);
  EXPECT_EQ(transport.seen.size(), 4U);
}

}  // namespace
}  // namespace stratos::http
