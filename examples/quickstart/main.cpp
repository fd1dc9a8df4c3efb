// Routes requests in memory: no socket, no server.
#include <stratos/base/url.hpp>
#include <stratos/http/router.hpp>

#include <iostream>

int main() {
  using namespace stratos;

  http::Router router;
  router.add("GET", "/greet/:name", [](http::Request& request) {
    return http::Response::text(200, "Hello, " + request.pathParam("name"));
  });

  http::Request request;
  request.target = Url::parse("https://console.example.com/greet/Cloud%20Foundry").requestTarget();
  const http::Response response = router.handle(request);
  std::cout << "status " << response.status << '\n';
  return response.status == 200 ? 0 : 1;
}
