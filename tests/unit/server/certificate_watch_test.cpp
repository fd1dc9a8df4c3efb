#include "certificate_watch.hpp"

#include <array>
#include <filesystem>

#include <Poco/Net/Context.h>
#include <Poco/Net/SecureStreamSocket.h>
#include <Poco/Net/X509Certificate.h>

#include "server_fixture.hpp"
#include "stratos/testing/capturing_log_sink.hpp"
#include "temporary_folder.hpp"

namespace stratos::server {
namespace {

using ::testing::EndsWith;

/// A server over real TLS whose certificate lies in files.
class CertificateWatchTest : public ::testing::Test {
 protected:
  using Socket = Poco::Net::SecureStreamSocket;

  CertificateWatchTest() {
    put("tls.crt", first_.chainPem);
    put("tls.key", first_.keyPem.reveal());
    static_cast<void>(server_.listen({"127.0.0.1", 0}, makeServerContext(first_)));
    server_.start();
  }

  /// As those who renew certificates do it: readers see the old file or the new one.
  void put(const std::string& name, const std::string& text) {
    folder_.write("new", text);
    std::filesystem::rename(folder_.path() / "new", folder_.path() / name);
  }
  [[nodiscard]] Socket connect() const {
    using Poco::Net::Context;
    const Context::Ptr context(new Context(Context::TLS_CLIENT_USE, "", Context::VERIFY_NONE));
    return Socket(Poco::Net::SocketAddress("127.0.0.1", server_.port()), context);
  }
  [[nodiscard]] static std::string nameOf(const Socket& socket) {
    return socket.peerCertificate().commonName();
  }
  static std::string exchange(Socket& socket) {
    const std::string request = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
    socket.sendBytes(request.data(), static_cast<int>(request.size()));
    std::string response;
    std::array<char, 4096> buffer{};
    while (!response.ends_with("GET / ")) {
      const int got = socket.receiveBytes(buffer.data(), static_cast<int>(buffer.size()));
      if (got <= 0) break;
      response.append(buffer.data(), static_cast<std::size_t>(got));
    }
    return response;
  }

  const TemporaryFolder folder_;
  const SystemClock clock_;
  stratos::testing::CapturingLogSink log_;
  const CertificatePlaces places_{.devDirectory = folder_.path() / "none",
                                  .chainFile = folder_.path() / "tls.crt",
                                  .keyFile = folder_.path() / "tls.key",
                                  .chainPem = {},
                                  .keyPem = {},
                                  .generatedDirectory = folder_.path() / "none"};
  const CertificatePair first_ = makeSelfSignedCertificate("first.example", clock_.now());
  const CertificatePair second_ = makeSelfSignedCertificate("second.example", clock_.now());
  FunctionHandler handler_{&echo};
  HttpServer server_{handler_, log_};
  CertificateWatch watch_{
      places_, first_, [this](const Poco::Net::Context::Ptr& tls) { server_.replaceTls(0, tls); },
      clock_, log_};
};

TEST_F(CertificateWatchTest, NewConnectionsGetTheNewOneAndOldOnesGoOn) {
  Socket before = connect();
  EXPECT_THAT(exchange(before), EndsWith("GET / "));
  watch_.look();
  EXPECT_TRUE(log_.lines().empty()) << "nothing has changed";

  put("tls.key", second_.keyPem.reveal());
  put("tls.crt", second_.chainPem);
  Socket between = connect();
  EXPECT_EQ(nameOf(between), "first.example");
  watch_.look();
  const auto lines = log_.linesWith("another certificate");
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_EQ(lines[0].field("sha256"), fingerprintSha256(second_.chainPem));
  Socket after = connect();
  EXPECT_EQ(nameOf(after), "second.example");
  for (Socket* socket : {&before, &between, &after}) {
    EXPECT_THAT(exchange(*socket), EndsWith("GET / "));
  }
  EXPECT_EQ(watch_.expiresAt(), expiryOf(second_.chainPem));
  watch_.look();
  EXPECT_EQ(log_.lines().size(), 1U);
}

TEST_F(CertificateWatchTest, WhatDoesNotFitIsRefusedOnceAndTheOldOneStays) {
  put("tls.crt", second_.chainPem);  // Its key is still on the way.
  watch_.look();
  watch_.look();
  const auto refusals = log_.linesWith("cannot be used");
  ASSERT_EQ(refusals.size(), 1U);
  EXPECT_EQ(refusals[0].level, LogLevel::Error);
  EXPECT_FALSE(log_.mentions("PRIVATE KEY"));
  Socket still = connect();
  EXPECT_EQ(nameOf(still), "first.example");
  put("tls.key", second_.keyPem.reveal());
  watch_.look();
  Socket now = connect();
  EXPECT_EQ(nameOf(now), "second.example");

  put("tls.crt", "cut short");
  watch_.look();
  std::filesystem::remove(folder_.path() / "tls.crt");
  watch_.look();
  EXPECT_EQ(log_.linesWith("cannot be used").size(), 3U);
  Socket anyhow = connect();
  EXPECT_EQ(nameOf(anyhow), "second.example");
  EXPECT_EQ(watch_.expiresAt(), expiryOf(second_.chainPem));
}

TEST_F(CertificateWatchTest, FollowsTheFolderBehindASymbolicLink) {
  // A volume of a Kubernetes Secret.
  const auto root = folder_.path();
  const auto version = [&](const std::string& name, const CertificatePair& pair) {
    std::filesystem::create_directory(root / name);
    folder_.write(name + "/tls.crt", pair.chainPem);
    folder_.write(name + "/tls.key", pair.keyPem.reveal());
    std::filesystem::create_directory_symlink(name, root / "next");
    std::filesystem::rename(root / "next", root / "..data");
  };
  version("..1", first_);
  for (const char* name : {"tls.crt", "tls.key"}) {
    std::filesystem::remove(root / name);
    std::filesystem::create_symlink(std::filesystem::path("..data") / name, root / name);
  }
  watch_.look();
  EXPECT_TRUE(log_.lines().empty()) << "the same in another place";
  version("..2", second_);
  watch_.look();
  Socket now = connect();
  EXPECT_EQ(nameOf(now), "second.example");
}

TEST_F(CertificateWatchTest, SaysWhatItDidWhenItIsAsked) {
  watch_.reload();
  EXPECT_EQ(log_.linesWith("stays as it is").size(), 1U);
  const CertificatePair old =
      makeSelfSignedCertificate("old.example", clock_.now() - std::chrono::hours{24 * 1000});
  put("tls.crt", old.chainPem);
  put("tls.key", old.keyPem.reveal());
  watch_.reload();
  EXPECT_EQ(log_.linesWith("has expired").size(), 1U);
}

}  // namespace
}  // namespace stratos::server
