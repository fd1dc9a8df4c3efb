// Users whose answers carry their identity, all at once in one process, while clients leave in the
// middle, endpoints break off, pooled connections die and tokens expire and rotate.

#include <atomic>
#include <map>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include <Poco/Net/StreamSocket.h>

#include "server_fixture.hpp"
#include "stratos/auth/jwt.hpp"
#include "stratos/testing/fake_upstream.hpp"

namespace stratos::server_test {
namespace {

using stratos::testing::FaultKind;
using stratos::testing::ReceivedRequest;
using stratos::testing::RefreshMode;
using stratos::testing::Reply;

constexpr std::size_t kUsers = 40;
constexpr int kRounds = 6;
constexpr std::size_t kClients = 8;
constexpr const char* kList = "x-cap-cnsi-list";

std::string nameOf(std::size_t user) { return "user" + std::to_string(user) + "x"; }

/// A text of at least that size that says over and over whose it is.
std::string identityText(const std::string& name, std::size_t size) {
  std::string text;
  while (text.size() < size) text += name;
  return text;
}

/// Answers with the user that the token names, in head and body.
Reply whoAmI(const ReceivedRequest& request) {
  const auto claims = auth::decodeJwt(request.header("Authorization").substr(7));
  if (!claims) return stratos::testing::jsonReply(400, "{}");
  const auto size = std::stoul(request.queryValue("size").value_or("0"));
  Reply reply;
  reply.headers = {{"Content-Type", "text/plain"}, {"ETag", '"' + claims->userName + '"'}};
  reply.body = identityText(claims->userName, size) + request.body;
  if (size % 2 == 1) reply.chunkSize = 1'000;
  return reply;
}

/// The same as JSON, for combined answers.
Reply whoAmIJson(const ReceivedRequest& request) {
  const auto claims = auth::decodeJwt(request.header("Authorization").substr(7));
  return stratos::testing::jsonReply(200, R"({"name":")" + (claims ? claims->userName : "") + "\"}");
}

class SoakTest : public ServerTest {
 protected:
  void SetUp() override {
    ServerTest::SetUp();
    Settings each = uaaSettings();
    each["STRATOS_EVENT_LOOPS"] = "2";
    each["LOG_API_REQUESTS"] = "false";
    // The faults below come one after the other: the endpoint would be left alone.
    each["STRATOS_ENDPOINT_FAILURES"] = "0";
    startServer(each);
    foundation->uaa().setRefreshMode(RefreshMode::Rotate);
    foundation->cloudController().server().handle("/v3/whoami", whoAmI);
    foundation->cloudController().server().handle("/v3/whojson", whoAmIJson);
  }

  /// Users who are signed in and connected to the foundation, which is registered as `endpoints`.
  void connectUsers() {
    Browser admin{origin()};
    ASSERT_EQ(admin.login("admin", "admin").status, 200);
    guid_ = registerEndpoint(admin, foundation->apiUrl());
    for (std::size_t i = 0; i < kUsers; ++i) {
      foundation->uaa().addUser({nameOf(i), "secret", {"openid", "cloud_controller.read"}});
      Browser& user = users_.emplace_back(origin());
      ASSERT_EQ(user.login(nameOf(i), "secret").status, 200);
      const Answer connected =
          user.postMultipart("/api/v1/tokens?cnsi_guid=" + guid_ + "&connect_type=creds",
                             {{"username", nameOf(i)}, {"password", "secret"}});
      ASSERT_EQ(connected.status, 200) << connected.body;
    }
  }

  /// One request of one user, of a random kind, checked for whose answer it is.
  void askAs(std::size_t index, std::minstd_rand& random) {
    Browser& user = users_[index];
    const std::string name = nameOf(index);
    const std::size_t size = random() % 3 == 0 ? random() % 200'000 : random() % 2'000;
    const std::string target = "/pp/v1/proxy/v3/whoami?size=" + std::to_string(size);
    const http::Headers passThrough{{kList, guid_}, {"x-cap-passthrough", "true"}};
    switch (random() % 5) {
      case 0:
        leaveInTheMiddle(user, target);
        return;
      case 1: {
        const Answer answer = user.get("/pp/v1/proxy/v3/whojson", {{kList, guid_}});
        if (answer.status == 200 && answer.text(guid_ + ".name") != name) {
          // What went wrong at the endpoint is said in its place.
          EXPECT_NE(answer.text(guid_ + ".error.statusCode"), "") << answer.body;
          ++broken_;
        } else {
          ++served_;
        }
        EXPECT_EQ(answer.body.find("user"), answer.body.find(name)) << name << answer.body;
        return;
      }
      case 2:
        check(user.send("POST", target, passThrough, name + "sent"), name, size, name + "sent");
        return;
      case 3:
        check(user.get("/api/v1/proxy/" + guid_ + "/v3/whoami?size=" + std::to_string(size)), name,
              size, "");
        return;
      default:
        check(user.get(target, passThrough), name, size, "");
    }
  }

  void check(const Answer& answer, const std::string& name, std::size_t size,
             const std::string& tail) {
    if (answer.status != 200 || !answer.complete) {
      ++broken_;
      // Even the beginning of an answer is that of its user.
      if (answer.status == 200) {
        EXPECT_EQ(answer.headers.get("ETag"), '"' + name + '"');
        const std::string whole = identityText(name, size) + tail;
        EXPECT_TRUE(whole.starts_with(answer.body)) << name;
      }
      return;
    }
    ++served_;
    EXPECT_EQ(answer.headers.get("ETag"), '"' + name + '"');
    EXPECT_TRUE(answer.body == identityText(name, size) + tail)
        << name << " got " << answer.body.substr(0, 40);
  }

  /// Sends a request and goes, mostly before the answer.
  void leaveInTheMiddle(const Browser& user, const std::string& target) const {
    std::string cookies;
    for (const auto& [name, value] : user.cookies) cookies += name + "=" + value + "; ";
    Poco::Net::StreamSocket socket(Poco::Net::SocketAddress("127.0.0.1", httpPort()));
    const std::string request = "GET " + target + " HTTP/1.1\r\nHost: h\r\nx-cap-passthrough: true\r\n" +
                                kList + ": " + guid_ + "\r\nCookie: " + cookies + "\r\n\r\n";
    socket.sendBytes(request.data(), static_cast<int>(request.size()));
    socket.setLinger(true, 0);  // With a reset.
  }

  std::string guid_;
  std::vector<Browser> users_;
  std::atomic<int> served_ = 0;
  std::atomic<int> broken_ = 0;
};

TEST_F(SoakTest, NobodySeesAnotherUsersAnswer) {
  ASSERT_NO_FATAL_FAILURE(connectUsers());
  auto& api = foundation->cloudController().server();
  for (int round = 0; round < kRounds; ++round) {
    for (const FaultKind kind : {FaultKind::CloseBeforeAnswer, FaultKind::Reset, FaultKind::CutBody,
                                 FaultKind::Unauthorized, FaultKind::BrokenChunk}) {
      api.addFault({.kind = kind, .pathPrefix = "/v3/who", .times = 3});
    }
    // In the middle of all this every token grows old.
    foundation->uaa().expireAccessTokens();
    std::vector<std::jthread> clients;
    for (std::size_t client = 0; client < kClients; ++client) {
      clients.emplace_back([this, client, round] {
        std::minstd_rand random(static_cast<unsigned>(round) * 100U + static_cast<unsigned>(client));
        for (std::size_t user = client; user < kUsers; user += kClients) {
          for (int request = 0; request < 4; ++request) askAs(user, random);
        }
      });
    }
    if (round % 2 == 0) api.closeConnections();
    clients.clear();
  }
  // Faults and connections that were closed break a few answers, never most of them.
  EXPECT_GT(served_, broken_ * 3) << served_ << " served, " << broken_ << " broken";
  // Nobody has lost a connection on the way: each token was renewed, and once.
  api.clearFaults();
  for (std::size_t i = 0; i < kUsers; ++i) {
    check(users_[i].get("/api/v1/proxy/" + guid_ + "/v3/whoami?size=10"), nameOf(i), 10, "");
  }
  const int before = broken_;
  for (std::size_t i = 0; i < kUsers; ++i) {
    check(users_[i].get("/api/v1/proxy/" + guid_ + "/v3/whoami?size=10"), nameOf(i), 10, "");
  }
  EXPECT_EQ(broken_, before);
}

}  // namespace
}  // namespace stratos::server_test
