#include "certificate.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <memory>

#include <fcntl.h>
#include <unistd.h>

#include <Poco/Exception.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "stratos/base/error.hpp"

namespace stratos::server {
namespace {

constexpr int kValidDays = 825;
constexpr int kSerialBits = 127;

template <auto Free>
struct Freer {
  template <class T>
  void operator()(T* object) const noexcept {
    Free(object);
  }
};
using Bio = std::unique_ptr<BIO, Freer<BIO_free_all>>;
using Key = std::unique_ptr<EVP_PKEY, Freer<EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, Freer<X509_free>>;
using Number = std::unique_ptr<BIGNUM, Freer<BN_free>>;
using Extension = std::unique_ptr<X509_EXTENSION, Freer<X509_EXTENSION_free>>;

[[noreturn]] void throwOpenSsl(ErrorCode code, const std::string& what) {
  std::array<char, 256> text{};
  ERR_error_string_n(ERR_get_error(), text.data(), text.size());
  ERR_clear_error();
  throw Error(code, what + ": " + text.data());
}

void require(bool ok, const char* what) {
  if (!ok) throwOpenSsl(ErrorCode::Internal, what);
}

Bio readerOf(const std::string& text) {
  return Bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

std::string contentOf(const Bio& bio) {
  char* data = nullptr;
  const long length = BIO_get_mem_data(bio.get(), &data);
  return {data, static_cast<std::size_t>(length)};
}

// The key of a listening server cannot ask anybody for a pass phrase.
int noPassPhrase(char*, int, int, void*) { return 0; }

Certificate parseCertificate(const std::string& pem) {
  const Bio bio = readerOf(pem);
  Certificate certificate(PEM_read_bio_X509(bio.get(), nullptr, noPassPhrase, nullptr));
  if (!certificate) throwOpenSsl(ErrorCode::InvalidArgument, "There is no PEM certificate");
  return certificate;
}

Key parseKey(const Secret& pem) {
  const Bio bio = readerOf(pem.reveal());
  Key key(PEM_read_bio_PrivateKey(bio.get(), nullptr, noPassPhrase, nullptr));
  if (!key) {
    throwOpenSsl(ErrorCode::InvalidArgument, "There is no PEM private key without pass phrase");
  }
  return key;
}

void addExtension(X509* certificate, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, certificate, certificate, nullptr, nullptr, 0);
  const Extension extension(X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str()));
  require(extension != nullptr, "X509V3_EXT_conf_nid");
  require(X509_add_ext(certificate, extension.get(), -1) == 1, "X509_add_ext");
}

bool isHostName(const std::string& name) {
  // Anything else would be syntax to OpenSSL's extension parser.
  return !name.empty() && name.size() <= 64 && name != "localhost" &&
         name.find_first_not_of(
             "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-") ==
             std::string::npos;
}

std::optional<std::string> readFile(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in) return std::nullopt;
  return std::string(std::istreambuf_iterator<char>(in), {});
}

std::optional<CertificatePair> readPair(const std::filesystem::path& chainFile,
                                        const std::filesystem::path& keyFile) {
  auto chain = readFile(chainFile);
  auto key = readFile(keyFile);
  if (!chain || !key) return std::nullopt;
  return CertificatePair{std::move(*chain), Secret(std::move(*key)), chainFile.string()};
}

std::filesystem::path devChain(const CertificatePlaces& places) {
  return places.devDirectory / "pproxy.crt";
}

std::filesystem::path devKey(const CertificatePlaces& places) {
  return places.devDirectory / "pproxy.key";
}

std::filesystem::path generatedChain(const CertificatePlaces& places) {
  return places.generatedDirectory / "stratos-server.crt";
}

std::filesystem::path generatedKey(const CertificatePlaces& places) {
  return places.generatedDirectory / "stratos-server.key";
}

// Readers see the whole old file or the whole new one.
void replaceFile(const std::filesystem::path& file, const std::string& content) {
  std::string temporary = file.string() + ".XXXXXX";
  const int descriptor = ::mkostemp(temporary.data(), O_CLOEXEC);  // Mode 0600.
  if (descriptor < 0) {
    throw Error(ErrorCode::Unavailable,
                "Cannot write " + file.string() + ": " + std::strerror(errno));
  }
  const auto length = static_cast<ssize_t>(content.size());
  const bool written = ::write(descriptor, content.data(), content.size()) == length;
  const bool closed = ::close(descriptor) == 0;
  if (!written || !closed || std::rename(temporary.c_str(), file.c_str()) != 0) {
    const int cause = errno;
    ::unlink(temporary.c_str());
    throw Error(ErrorCode::Unavailable,
                "Cannot write " + file.string() + ": " + std::strerror(cause));
  }
}

bool fits(const CertificatePair& pair) {
  return X509_check_private_key(parseCertificate(pair.chainPem).get(),
                                parseKey(pair.keyPem).get()) == 1;
}

std::string localHostName() {
  std::array<char, 256> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0) return {};
  return name.data();
}

}  // namespace

std::vector<std::filesystem::path> filesOf(const CertificatePlaces& places) {
  return {devChain(places), devKey(places),         places.chainFile,
          places.keyFile,   generatedChain(places), generatedKey(places)};
}

CertificatePair makeSelfSignedCertificate(const std::string& hostName, TimePoint now) {
  const Key key(EVP_EC_gen("P-256"));
  require(key != nullptr, "EVP_EC_gen");
  const Certificate certificate(X509_new());
  require(certificate != nullptr, "X509_new");
  X509* const x509 = certificate.get();
  require(X509_set_version(x509, X509_VERSION_3) == 1, "X509_set_version");
  const Number serial(BN_new());
  require(serial && BN_rand(serial.get(), kSerialBits, BN_RAND_TOP_ANY, BN_RAND_BOTTOM_ANY) == 1 &&
              BN_to_ASN1_INTEGER(serial.get(), X509_get_serialNumber(x509)) != nullptr,
          "serial number");
  // An hour back, for browsers whose clock is behind.
  std::time_t start = toUnixSeconds(now) - 3600;
  require(X509_time_adj_ex(X509_getm_notBefore(x509), 0, 0, &start) != nullptr &&
              X509_time_adj_ex(X509_getm_notAfter(x509), kValidDays, -1, &start) != nullptr,
          "validity");
  X509_NAME* const name = X509_get_subject_name(x509);
  const std::string common = isHostName(hostName) ? hostName : "localhost";
  for (const auto& [field, value] :
       {std::pair<const char*, std::string>{"O", "Stratos self-signed"}, {"CN", common}}) {
    require(X509_NAME_add_entry_by_txt(name, field, MBSTRING_UTF8,
                                       reinterpret_cast<const unsigned char*>(value.data()),
                                       static_cast<int>(value.size()), -1, 0) == 1,
            "subject");
  }
  require(X509_set_issuer_name(x509, name) == 1, "issuer");
  require(X509_set_pubkey(x509, key.get()) == 1, "public key");
  std::string alternatives = "DNS:localhost,IP:127.0.0.1,IP:::1";
  if (isHostName(hostName)) alternatives.append(",DNS:").append(hostName);
  addExtension(x509, NID_subject_key_identifier, "hash");
  addExtension(x509, NID_basic_constraints, "critical,CA:FALSE");
  addExtension(x509, NID_key_usage, "critical,digitalSignature");
  addExtension(x509, NID_ext_key_usage, "serverAuth");
  addExtension(x509, NID_subject_alt_name, alternatives);
  require(X509_sign(x509, key.get(), EVP_sha256()) > 0, "X509_sign");

  const Bio chain(BIO_new(BIO_s_mem()));
  const Bio secret(BIO_new(BIO_s_secmem()));
  require(chain && PEM_write_bio_X509(chain.get(), x509) == 1, "PEM_write_bio_X509");
  require(secret && PEM_write_bio_PKCS8PrivateKey(secret.get(), key.get(), nullptr, nullptr, 0,
                                                  nullptr, nullptr) == 1,
          "PEM_write_bio_PKCS8PrivateKey");
  return {contentOf(chain), Secret(contentOf(secret)), "memory"};
}

std::optional<CertificatePair> findCertificate(const CertificatePlaces& places, TimePoint now) {
  std::error_code error;
  if (std::filesystem::exists(devChain(places), error) &&
      std::filesystem::exists(devKey(places), error)) {
    if (auto pair = readPair(devChain(places), devKey(places))) return pair;
    throw Error(ErrorCode::InvalidArgument,
                "The certificate in " + places.devDirectory.string() + " cannot be read");
  }
  if (!places.chainFile.empty() && !places.keyFile.empty()) {
    if (auto pair = readPair(places.chainFile, places.keyFile)) return pair;
    throw Error(
        ErrorCode::InvalidArgument,
        "CONSOLE_PROXY_CERT_PATH or CONSOLE_PROXY_CERT_KEY_PATH names a file that cannot be "
        "read: " +
            places.chainFile.string() + ", " + places.keyFile.string());
  }
  if (!places.chainPem.empty() && !places.keyPem.empty()) {
    return CertificatePair{places.chainPem, places.keyPem, "CONSOLE_PROXY_CERT"};
  }
  auto generated = readPair(generatedChain(places), generatedKey(places));
  if (!generated) return std::nullopt;
  try {
    if (!fits(*generated) || expiryOf(generated->chainPem) <= now) return std::nullopt;
  } catch (const Error&) {
    return std::nullopt;  // Unreadable, for example cut short by a full disk: make a new one.
  }
  return generated;
}

CertificatePair obtainCertificate(const CertificatePlaces& places, TimePoint now, LogSink& log) {
  if (auto found = findCertificate(places, now)) return std::move(*found);
  CertificatePair pair = makeSelfSignedCertificate(localHostName(), now);
  try {
    replaceFile(generatedKey(places), pair.keyPem.reveal());
    replaceFile(generatedChain(places), pair.chainPem);
    pair.origin = generatedChain(places).string() + ", self-signed, just made";
  } catch (const Error& e) {
    stratos::log(log, LogLevel::Warning, "the self-signed certificate will not survive a restart",
                 {{"reason", e.what()}});
    pair.origin = "self-signed, just made, in memory only";
  }
  return pair;
}

std::string fingerprintSha256(const std::string& chainPem) {
  const Certificate certificate = parseCertificate(chainPem);
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned length = 0;
  require(X509_digest(certificate.get(), EVP_sha256(), digest.data(), &length) == 1, "X509_digest");
  constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string text;
  for (unsigned i = 0; i < length; ++i) {
    if (i > 0) text.push_back(':');
    text.append({kHex[digest[i] >> 4U], kHex[digest[i] & 0xFU]});
  }
  return text;
}

TimePoint expiryOf(const std::string& chainPem) {
  const Certificate certificate = parseCertificate(chainPem);
  std::tm parts{};
  require(ASN1_TIME_to_tm(X509_get0_notAfter(certificate.get()), &parts) == 1, "ASN1_TIME_to_tm");
  return fromUnixSeconds(::timegm(&parts));
}

Poco::Net::Context::Ptr makeServerContext(const CertificatePair& pair) {
  using Poco::Net::Context;
  Context::Ptr context;
  try {
    Context::Params parameters;
    parameters.verificationMode = Context::VERIFY_NONE;  // Browsers have no certificate to show.
    parameters.loadDefaultCAs = false;
    context = new Context(Context::TLS_SERVER_USE, parameters);
  } catch (const Poco::Exception& e) {
    throw Error(ErrorCode::Internal, "Cannot prepare TLS: " + e.displayText());
  }
  SSL_CTX* const ssl = context->sslContext();
  require(SSL_CTX_set_min_proto_version(ssl, TLS1_2_VERSION) == 1, "SSL_CTX_set_min_proto_version");
  require(SSL_CTX_set_cipher_list(ssl, "ECDHE+AESGCM:ECDHE+CHACHA20") == 1,
          "SSL_CTX_set_cipher_list");
  SSL_CTX_set_options(ssl, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  // Buffers of idle connections go back: they would cost 32 KiB each.
  SSL_CTX_set_mode(ssl, SSL_MODE_RELEASE_BUFFERS);

  const Bio chain = readerOf(pair.chainPem);
  const Certificate leaf(PEM_read_bio_X509(chain.get(), nullptr, noPassPhrase, nullptr));
  if (!leaf || SSL_CTX_use_certificate(ssl, leaf.get()) != 1) {
    throwOpenSsl(ErrorCode::InvalidArgument, "The certificate (" + pair.origin + ") is unusable");
  }
  for (;;) {
    Certificate next(PEM_read_bio_X509(chain.get(), nullptr, noPassPhrase, nullptr));
    if (!next) break;
    require(SSL_CTX_add0_chain_cert(ssl, next.get()) == 1, "SSL_CTX_add0_chain_cert");
    static_cast<void>(next.release());  // The context owns it now.
  }
  ERR_clear_error();  // The end of the chain is an error to the PEM reader.
  const Key key = parseKey(pair.keyPem);
  if (SSL_CTX_use_PrivateKey(ssl, key.get()) != 1 || SSL_CTX_check_private_key(ssl) != 1) {
    throwOpenSsl(ErrorCode::InvalidArgument,
                 "The private key does not belong to the certificate (" + pair.origin + ")");
  }
  return context;
}

}  // namespace stratos::server
