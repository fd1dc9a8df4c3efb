#include "metrics.hpp"

#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace stratos::server {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class StatusHandler final : public http::Handler {
 public:
  [[nodiscard]] http::Response handle(http::Request&) override {
    return http::Response::empty(status);
  }
  int status = 200;
};

TEST(MetricsTextTest, WritesTheTextFormat) {
  MetricsText text;
  text.counter("a_total", "All of it.");
  text.sample(std::numeric_limits<std::uint64_t>::max());
  text.gauge("b", "Some.");
  text.sample(0.25, {{"x", "1"}, {"y", "a\"b\\c\nd"}});
  text.sample(1.7e12);
  EXPECT_EQ(text.str(),
            "# HELP a_total All of it.\n# TYPE a_total counter\na_total 18446744073709551615\n"
            "# HELP b Some.\n# TYPE b gauge\nb{x=\"1\",y=\"a\\\"b\\\\c\\nd\"} 0.25\nb 1.7e+12\n");
}

TEST(RequestCounterTest, TellsKindsAndClassesApart) {
  StatusHandler inner;
  RequestCounter counter(inner);
  const auto ask = [&](const std::string& target, int status) {
    http::Request request;
    request.target = target;
    inner.status = status;
    EXPECT_EQ(counter.handle(request).status, status);
  };
  ask("/", 200);
  ask("/applications?x=/pp/v1/proxy/", 304);
  ask("/ppp", 200);
  ask("/pp/v1/info", 401);
  ask("/api/v1/endpoints", 200);
  ask("/pp/v1/proxy/v3/apps", 200);
  ask("/api/v1/proxy/guid/v3/apps?a", 503);
  ask("/api/v1/proxy/guid/v3/apps", 42);
  MetricsText text;
  counter.write(text);
  for (const char* line :
       {"{kind=\"page\",status=\"2xx\"} 2\n", "{kind=\"page\",status=\"3xx\"} 1\n",
        "{kind=\"control\",status=\"2xx\"} 1\n", "{kind=\"control\",status=\"4xx\"} 1\n",
        "{kind=\"control\",status=\"5xx\"} 0\n", "{kind=\"proxied\",status=\"2xx\"} 1\n",
        "{kind=\"proxied\",status=\"5xx\"} 2\n"}) {
    EXPECT_THAT(text.str(), HasSubstr(std::string("stratos_http_requests_total") + line));
  }
}

class Endings final : public http::Transport {
 public:
  [[nodiscard]] http::ClientResponse exchange(http::ClientRequest&) override {
    http::ClientResponse response;
    response.failure = failure;
    return response;
  }
  http::TransportFailure failure = http::TransportFailure::None;
};

TEST(CallCounterTest, TellsHowCallsEnd) {
  Endings inner;
  CallCounter counter(inner);
  using enum http::TransportFailure;
  for (const auto failure :
       {None, Refused, Tls, TimedOut, TimedOut, Broken, Forbidden, Cancelled}) {
    inner.failure = failure;
    EXPECT_EQ(counter.send({"GET", Url::parse("https://a.example"), {}, {}, {}}).failure, failure);
  }
  MetricsText text;
  counter.write(text);
  for (const char* sample : {"\"answered\"} 1", "\"refused\"} 1", "\"tls\"} 1", "\"timed_out\"} 2",
                             "\"broken\"} 1", "\"forbidden\"} 1", "\"cancelled\"} 1"}) {
    EXPECT_THAT(text.str(),
                HasSubstr(std::string("stratos_outgoing_calls_total{outcome=") + sample));
  }
}

TEST(MetricsHandlerTest, AnswersOnePathAndNothingElse) {
  MetricsHandler handler(
      [](MetricsText& text) { writeProcess(text, fromUnixSeconds(1'700'000'000)); });
  http::Request request;
  request.target = "/metrics";
  const http::Response response = handler.handle(request);
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.headers.get("Content-Type"), "text/plain; version=0.0.4; charset=utf-8");
  for (const char* part : {"process_cpu_seconds_total ", "process_resident_memory_bytes ",
                           "process_open_fds ", "process_start_time_seconds 1.7e+09\n"}) {
    EXPECT_THAT(response.body.bytes(), HasSubstr(part));
  }
  EXPECT_THAT(response.body.bytes(), Not(HasSubstr("process_open_fds 0\n")));
  request.method = "POST";
  EXPECT_EQ(handler.handle(request).status, 405);
  request.method = "GET";
  request.target = "/pp/v1/info";
  EXPECT_EQ(handler.handle(request).status, 404);
}

}  // namespace
}  // namespace stratos::server
