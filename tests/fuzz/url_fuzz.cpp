#include <algorithm>
#include <optional>
#include <string>

#include "console/pipeline.hpp"
#include "console/sso_flow.hpp"
#include "fuzz.hpp"
#include "stratos/base/encoding.hpp"
#include "stratos/base/error.hpp"
#include "stratos/http/transport.hpp"
#include "stratos/proxy/target.hpp"

// Input: a URL, a reference and an origin, one in each line.

namespace stratos::fuzz {
namespace {

bool isClean(std::string_view text) {
  return std::none_of(text.begin(), text.end(),
                      [](char c) { return static_cast<unsigned char>(c) <= 0x20 || c == 0x7f; });
}

/// Redirects everything to one place and keeps an eye on who gets the credentials.
class RedirectingTransport final : public http::Transport {
 public:
  RedirectingTransport(Url start, std::string location)
      : start_(std::move(start)), location_(std::move(location)) {}

  http::ClientResponse exchange(http::ClientRequest& request) override {
    ++count;
    const bool sameOrigin = request.url.origin() == start_.origin();
    strayed_ = strayed_ || !sameOrigin;
    require(!request.headers.has("Authorization") || !strayed_, "credentials stay at their origin");
    require(!start_.isSecure() || request.url.isSecure(), "https never leads to http");
    require(isClean(request.url.requestTarget()), "a request target has no white space");
    http::ClientResponse response;
    response.status = 302;
    response.headers.add("Location", location_);
    return response;
  }

  int count = 0;

 private:
  Url start_;
  std::string location_;
  bool strayed_ = false;
};

void checkUrl(std::string_view text) {
  const auto url = Url::tryParse(text);
  if (!url) return;
  require(isClean(url->str()), "a URL has no white space or control characters");
  require(!url->host().empty(), "a URL has a host");
  require(url->requestTarget().starts_with('/'), "a request target begins with a slash");
  require(url->origin().find('@') == std::string::npos && url->str().starts_with(url->origin()),
          "user info is not written out");
  const auto again = Url::tryParse(url->str());
  require(again.has_value(), "a URL can be read again");
  require(again->origin() == url->origin() && again->requestTarget() == url->requestTarget(),
          "a URL means the same when it is read again");
}

void checkRedirects(const Url& url, std::string_view location) {
  if (location.find_first_of(std::string_view{"\0\r\n", 3}) != std::string_view::npos) return;
  constexpr int kLimit = 3;
  RedirectingTransport transport(url, std::string{location});
  http::ClientRequest request{"GET",        url, {{"Authorization", "bearer x"}},
                              http::Body(), {},  Deadline::never()};
  static_cast<void>(http::followRedirects(transport, std::move(request), kLimit));
  require(transport.count <= kLimit + 1, "redirects end");
}

void checkJoin(std::string_view rest) {
  const auto path = proxy::joinPath("/base/", rest);
  if (!path) return;
  require(path->starts_with("/base"), "a joined path stays below its base");
  require(isClean(*path), "a joined path has no white space or control characters");
  for (const std::string& segment : split(*path, '/')) {
    const auto decoded = percentDecode(segment);
    require(decoded && *decoded != "." && *decoded != "..", "a joined path does not climb");
  }
}

void checkReturn(std::string_view text, std::string_view host) {
  if (host.find_first_of(std::string_view{"\0\r\n", 3}) != std::string_view::npos) return;
  http::Request request;
  request.headers.add("Host", std::string{host});
  const auto own = console::allowedReturnUrl(text, "", console::isOwnOrigin, request);
  require(!own || console::isOwnOrigin(request, own->origin()),
          "without a list only our own pages are returned to");
  const auto listed =
      console::allowedReturnUrl(text, "https://a.example/*", console::isOwnOrigin, request);
  require(!listed || listed->origin() == "https://a.example", "only listed pages are returned to");
  require(!listed || text.find_first_of("#\\@") == std::string_view::npos,
          "nothing that a browser could read in another way is returned to");
}

}  // namespace

void run(std::string_view input) {
  const std::string_view text = takeLine(input);
  const std::string_view reference = takeLine(input);
  checkUrl(text);
  if (const auto url = Url::tryParse(text)) checkRedirects(*url, reference);
  checkJoin(reference);
  checkReturn(text, takeLine(input));
}

}  // namespace stratos::fuzz
