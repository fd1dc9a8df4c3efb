#include "stratos/testing/fake_prometheus.hpp"

#include "json.hpp"
#include "stratos/base/encoding.hpp"

namespace stratos::testing {

class FakePrometheus::Impl {
 public:
  explicit Impl(FakePrometheusOptions options)
      : options_(std::move(options)), server_(options_.server) {
    on("/", [](const ReceivedRequest& request) {
      if (request.path() != "/") return Reply{.status = 404, .headers = {}, .body = "not found"};
      return Reply{.status = 302, .headers = {{"Location", "/graph"}}, .body = {}};
    });
    on("/graph", [](const ReceivedRequest&) {
      return Reply{.status = 200, .headers = {{"Content-Type", "text/html"}}, .body = "<html>"};
    });
    on("/api/v1/status/config", [](const ReceivedRequest&) {
      return success(Json::object({{"yaml", "global: {}"}}));
    });
    on("/api/v1/query", [this](const ReceivedRequest& request) {
      Json::Array series;
      if (request.queryValue("query") == "firehose_total_metrics_received" &&
          !options_.environment.empty()) {
        series.push_back(
            Json::object({{"metric", Json::object({{"environment", options_.environment},
                                                   {"job", "firehose-exporter"}})}}));
      }
      return success(Json::object({{"resultType", "vector"}, {"result", Json{series}}}));
    });
    if (!options_.description.empty()) {
      on("/stratos",
         [this](const ReceivedRequest&) { return jsonReply(200, options_.description); });
    }
  }

  FakeUpstream& server() { return server_; }

 private:
  static Reply success(Json data) {
    return jsonReply(200, Json::object({{"status", "success"}, {"data", std::move(data)}}).dump());
  }

  void on(const std::string& path, UpstreamHandler handler) {
    server_.handle(path, [this, handler = std::move(handler)](const ReceivedRequest& request) {
      if (!isWelcome(request)) {
        return Reply{.status = 401,
                     .headers = {{"WWW-Authenticate", "Basic realm=\"metrics\""}},
                     .body = "Unauthorized"};
      }
      return handler(request);
    });
  }

  bool isWelcome(const ReceivedRequest& request) const {
    if (options_.user.empty()) return true;
    const std::string field = request.header("Authorization");
    const std::string scheme = "basic ";
    return toLower(field.substr(0, scheme.size())) == scheme &&
           fromBase64(field.substr(scheme.size())) == options_.user + ":" + options_.password;
  }

  const FakePrometheusOptions options_;
  FakeUpstream server_;
};

FakePrometheus::FakePrometheus(FakePrometheusOptions options)
    : impl_(std::make_unique<Impl>(std::move(options))) {}
FakePrometheus::~FakePrometheus() = default;

FakeUpstream& FakePrometheus::server() noexcept { return impl_->server(); }
const std::string& FakePrometheus::url() const noexcept { return impl_->server().url(); }

}  // namespace stratos::testing
