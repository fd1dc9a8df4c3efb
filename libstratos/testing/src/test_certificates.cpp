#include "stratos/testing/test_certificates.hpp"

#include <arpa/inet.h>
#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <array>
#include <fstream>

#include "stratos/base/error.hpp"

namespace stratos::testing {
namespace {

using KeyPtr = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
using CertificatePtr = std::unique_ptr<X509, decltype(&X509_free)>;
using BioPtr = std::unique_ptr<BIO, decltype(&BIO_free_all)>;

constexpr long kDay = 24L * 60 * 60;

void require(bool ok, const char* what) {
  if (!ok) throw Error(ErrorCode::Internal, std::string{"test certificates: "} + what);
}

KeyPtr makeKey() {
  KeyPtr key(EVP_EC_gen("P-256"), &EVP_PKEY_free);
  require(key != nullptr, "cannot make a key");
  return key;
}

std::string drain(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  return {data, static_cast<std::size_t>(size)};
}

std::string toPem(X509* certificate) {
  const BioPtr bio(BIO_new(BIO_s_mem()), &BIO_free_all);
  require(PEM_write_bio_X509(bio.get(), certificate) == 1, "cannot write a certificate");
  return drain(bio.get());
}

std::string toPem(EVP_PKEY* key) {
  const BioPtr bio(BIO_new(BIO_s_mem()), &BIO_free_all);
  require(PEM_write_bio_PrivateKey(bio.get(), key, nullptr, nullptr, 0, nullptr, nullptr) == 1,
          "cannot write a key");
  return drain(bio.get());
}

void addExtension(X509* certificate, X509* issuer, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  const std::unique_ptr<X509_EXTENSION, decltype(&X509_EXTENSION_free)> extension(
      X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str()), &X509_EXTENSION_free);
  require(extension != nullptr, "bad extension");
  require(X509_add_ext(certificate, extension.get(), -1) == 1, "cannot add an extension");
}

std::string alternativeNames(const std::vector<std::string>& names) {
  std::string out;
  for (const std::string& name : names) {
    std::array<unsigned char, sizeof(in6_addr)> address{};
    const bool isAddress = inet_pton(AF_INET, name.c_str(), address.data()) == 1 ||
                           inet_pton(AF_INET6, name.c_str(), address.data()) == 1;
    if (!out.empty()) out += ',';
    out += (isAddress ? "IP:" : "DNS:") + name;
  }
  return out;
}

struct CertificateSpec {
  std::string commonName;
  std::vector<std::string> names;
  const char* extendedUse = nullptr;  ///< null: an authority
  long notBefore = -kDay;
  long notAfter = 3650 * kDay;
};

CertificatePtr makeCertificate(const CertificateSpec& spec, EVP_PKEY* key, X509* issuer,
                               EVP_PKEY* issuerKey) {
  CertificatePtr certificate(X509_new(), &X509_free);
  require(certificate != nullptr, "out of memory");
  X509* raw = certificate.get();
  require(X509_set_version(raw, X509_VERSION_3) == 1, "version");
  std::array<unsigned char, 16> serial{};
  require(RAND_bytes(serial.data(), static_cast<int>(serial.size())) == 1, "serial number");
  serial[0] = static_cast<unsigned char>((serial[0] & 0x7FU) | 0x40U);  // positive and not short
  const std::unique_ptr<BIGNUM, decltype(&BN_free)> number(
      BN_bin2bn(serial.data(), static_cast<int>(serial.size()), nullptr), &BN_free);
  require(BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(raw)) != nullptr, "serial number");
  X509_gmtime_adj(X509_getm_notBefore(raw), spec.notBefore);
  X509_gmtime_adj(X509_getm_notAfter(raw), spec.notAfter);
  X509_NAME* subject = X509_get_subject_name(raw);
  std::vector<unsigned char> text(spec.commonName.begin(), spec.commonName.end());
  require(X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, text.data(),
                                     static_cast<int>(text.size()), -1, 0) == 1,
          "subject");
  X509* parent = issuer != nullptr ? issuer : raw;
  require(X509_set_issuer_name(raw, X509_get_subject_name(parent)) == 1, "issuer");
  require(X509_set_pubkey(raw, key) == 1, "public key");
  addExtension(raw, parent, NID_subject_key_identifier, "hash");
  if (issuer != nullptr) addExtension(raw, parent, NID_authority_key_identifier, "keyid");
  if (spec.extendedUse == nullptr) {
    addExtension(raw, parent, NID_basic_constraints, "critical,CA:TRUE");
    addExtension(raw, parent, NID_key_usage, "critical,keyCertSign,cRLSign");
  } else {
    addExtension(raw, parent, NID_basic_constraints, "critical,CA:FALSE");
    addExtension(raw, parent, NID_key_usage, "critical,digitalSignature");
    addExtension(raw, parent, NID_ext_key_usage, spec.extendedUse);
  }
  if (!spec.names.empty()) {
    addExtension(raw, parent, NID_subject_alt_name, alternativeNames(spec.names));
  }
  require(X509_sign(raw, issuerKey, EVP_sha256()) > 0, "cannot sign");
  return certificate;
}

}  // namespace

class TestCertificates::Impl {
 public:
  explicit Impl(const std::string& commonName)
      : key_(makeKey()),
        certificate_(makeCertificate({commonName, {}, nullptr}, key_.get(), nullptr, key_.get())),
        pem_(toPem(certificate_.get())) {}

  [[nodiscard]] const std::string& pem() const noexcept { return pem_; }

  [[nodiscard]] TlsIdentity issue(const CertificateSpec& spec) const {
    const KeyPtr key = makeKey();
    const CertificatePtr issued = makeCertificate(spec, key.get(), certificate_.get(), key_.get());
    return {toPem(issued.get()), toPem(key.get())};
  }

 private:
  KeyPtr key_;
  CertificatePtr certificate_;
  std::string pem_;
};

TestCertificates::TestCertificates(const std::string& commonName)
    : impl_(std::make_unique<Impl>(commonName)) {}
TestCertificates::~TestCertificates() = default;

const std::string& TestCertificates::caPem() const noexcept { return impl_->pem(); }

void TestCertificates::writeCa(const std::string& path) const {
  std::ofstream file(path, std::ios::trunc);
  file << impl_->pem();
  file.flush();
  if (!file) throw Error(ErrorCode::Internal, "cannot write " + path);
}

TlsIdentity TestCertificates::issueServer(const std::vector<std::string>& names) const {
  return impl_->issue({names.front(), names, "serverAuth"});
}

TlsIdentity TestCertificates::issueExpired(const std::vector<std::string>& names) const {
  return impl_->issue({names.front(), names, "serverAuth", -30 * kDay, -kDay});
}

TlsIdentity TestCertificates::makeSelfSigned(const std::vector<std::string>& names) const {
  const KeyPtr key = makeKey();
  const CertificatePtr made =
      makeCertificate({names.front(), names, "serverAuth"}, key.get(), nullptr, key.get());
  return {toPem(made.get()), toPem(key.get())};
}

TlsIdentity TestCertificates::issueClient(const std::string& commonName) const {
  return impl_->issue({commonName, {}, "clientAuth"});
}

}  // namespace stratos::testing
