#include "certificate.hpp"

#include <sys/stat.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "stratos/base/error.hpp"
#include "temporary_folder.hpp"

namespace stratos::server {
namespace {

using ::testing::HasSubstr;

const TimePoint kNow = fromUnixSeconds(1'800'000'000);

struct X509Free {
  void operator()(X509* certificate) const { X509_free(certificate); }
};

std::unique_ptr<X509, X509Free> parse(const std::string& pem) {
  BIO* const bio = BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()));
  std::unique_ptr<X509, X509Free> certificate(PEM_read_bio_X509(bio, nullptr, nullptr, nullptr));
  BIO_free(bio);
  return certificate;
}

CertificatePlaces placesIn(const TemporaryFolder& folder) {
  CertificatePlaces places;
  places.devDirectory = folder.path() / "dev-certs";
  places.generatedDirectory = folder.path();
  return places;
}

TEST(CertificateTest, MakesACertificateThatNamesThisHost) {
  const CertificatePair pair = makeSelfSignedCertificate("node-1.example.com", kNow);
  const auto certificate = parse(pair.chainPem);
  ASSERT_TRUE(certificate);
  for (const char* name : {"localhost", "node-1.example.com"}) {
    EXPECT_EQ(X509_check_host(certificate.get(), name, 0, 0, nullptr), 1) << name;
  }
  for (const char* address : {"127.0.0.1", "::1"}) {
    EXPECT_EQ(X509_check_ip_asc(certificate.get(), address, 0), 1) << address;
  }
  EXPECT_EQ(X509_check_host(certificate.get(), "example.com", 0, 0, nullptr), 0);
  EXPECT_EQ(EVP_PKEY_get_base_id(X509_get0_pubkey(certificate.get())), EVP_PKEY_EC);
  EXPECT_GT(expiryOf(pair.chainPem), kNow + std::chrono::hours{24 * 800});
  EXPECT_LE(expiryOf(pair.chainPem), kNow + std::chrono::hours{24 * 825});
  EXPECT_EQ(fingerprintSha256(pair.chainPem).size(), 95U);
  EXPECT_FALSE(makeServerContext(pair).isNull());
}

TEST(CertificateTest, TakesNoSyntaxFromTheHostName) {
  const CertificatePair pair = makeSelfSignedCertificate("x,DNS:bank.example", kNow);
  EXPECT_EQ(X509_check_host(parse(pair.chainPem).get(), "bank.example", 0, 0, nullptr), 0);
}

TEST(CertificateTest, KeepsTheGeneratedPairForTheNextStart) {
  const TemporaryFolder folder;
  NullLogSink log;
  EXPECT_FALSE(findCertificate(placesIn(folder), kNow).has_value());
  const CertificatePair first = obtainCertificate(placesIn(folder), kNow, log);
  const CertificatePair second = obtainCertificate(placesIn(folder), kNow, log);
  EXPECT_EQ(first.chainPem, second.chainPem);
  for (const char* name : {"stratos-server.crt", "stratos-server.key"}) {
    struct stat status {};
    ASSERT_EQ(::stat((folder.path() / name).c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777U, 0600U) << name;
  }
}

TEST(CertificateTest, ReplacesAnExpiredOrDamagedGeneratedPair) {
  const TemporaryFolder folder;
  NullLogSink log;
  const CertificatePair first = obtainCertificate(placesIn(folder), kNow, log);
  const auto later = kNow + std::chrono::hours{24 * 900};
  const CertificatePair second = obtainCertificate(placesIn(folder), later, log);
  EXPECT_NE(first.chainPem, second.chainPem);
  folder.write("stratos-server.key", "cut short");
  const CertificatePair third = obtainCertificate(placesIn(folder), later, log);
  EXPECT_NE(second.chainPem, third.chainPem);
  EXPECT_FALSE(makeServerContext(third).isNull());
}

TEST(CertificateTest, ServesFromMemoryWhenTheFolderIsMissing) {
  NullLogSink log;
  CertificatePlaces places;
  places.devDirectory = "/nonexistent";
  places.generatedDirectory = "/nonexistent";
  EXPECT_THAT(obtainCertificate(places, kNow, log).origin, HasSubstr("memory"));
}

TEST(CertificateTest, FollowsTheOrderOfPlaces) {
  const TemporaryFolder folder;
  NullLogSink log;
  CertificatePlaces places = placesIn(folder);
  const CertificatePair text = makeSelfSignedCertificate("text", kNow);
  const CertificatePair file = makeSelfSignedCertificate("file", kNow);
  const CertificatePair dev = makeSelfSignedCertificate("dev", kNow);
  places.chainPem = text.chainPem;
  places.keyPem = text.keyPem;
  EXPECT_EQ(obtainCertificate(places, kNow, log).chainPem, text.chainPem);
  folder.write("tls.crt", file.chainPem);
  folder.write("tls.key", file.keyPem.reveal());
  places.chainFile = folder.path() / "tls.crt";
  places.keyFile = folder.path() / "tls.key";
  EXPECT_EQ(obtainCertificate(places, kNow, log).chainPem, file.chainPem);
  std::filesystem::create_directory(places.devDirectory);
  folder.write("dev-certs/pproxy.crt", dev.chainPem);
  folder.write("dev-certs/pproxy.key", dev.keyPem.reveal());
  EXPECT_EQ(obtainCertificate(places, kNow, log).chainPem, dev.chainPem);
}

TEST(CertificateTest, RefusesWhatCannotWork) {
  const TemporaryFolder folder;
  CertificatePlaces places = placesIn(folder);
  places.chainFile = folder.path() / "absent.crt";
  places.keyFile = folder.path() / "absent.key";
  EXPECT_THROW(static_cast<void>(findCertificate(places, kNow)), Error);
  const CertificatePair a = makeSelfSignedCertificate("a", kNow);
  const CertificatePair b = makeSelfSignedCertificate("b", kNow);
  EXPECT_THROW(makeServerContext({a.chainPem, b.keyPem, "test"}), Error);
  EXPECT_THROW(makeServerContext({"no pem", b.keyPem, "test"}), Error);
  EXPECT_THROW(makeServerContext({a.chainPem, Secret("no pem"), "test"}), Error);
}

}  // namespace
}  // namespace stratos::server
