#pragma once

#include <Poco/Exception.h>
#include <Poco/JSON/Object.h>
#include <Poco/JSON/Parser.h>
#include <Poco/Net/HTTPClientSession.h>
#include <Poco/Net/HTTPRequest.h>
#include <Poco/Net/HTTPResponse.h>
#include <Poco/Net/HTTPSClientSession.h>
#include <Poco/Net/RejectCertificateHandler.h>
#include <Poco/Net/SSLManager.h>
#include <Poco/Net/StreamSocket.h>
#include <Poco/Net/X509Certificate.h>
#include <Poco/StreamCopier.h>

#include <memory>
#include <sstream>
#include <string>

#include "stratos/base/encoding.hpp"
#include "stratos/base/url.hpp"
#include "stratos/testing/fake_upstream.hpp"

namespace stratos::testing {

struct Answer {
  int status = 0;
  std::string body;
  Poco::Net::HTTPResponse head;

  [[nodiscard]] Poco::JSON::Object::Ptr json() const {
    return Poco::JSON::Parser{}.parse(body).extract<Poco::JSON::Object::Ptr>();
  }
  [[nodiscard]] std::string text(const std::string& name) const {
    return json()->getValue<std::string>(name);
  }
};

/// One exchange on a new connection through Poco's client; `caPem` is all it trusts over TLS.
inline Answer call(const std::string& url, const std::string& method,
                   const HeaderList& headers = {}, const std::string& body = {},
                   const std::string& caPem = {}) {
  const Url target = Url::parse(url);
  std::unique_ptr<Poco::Net::HTTPClientSession> session;
  if (target.isSecure()) {
    Poco::Net::Context::Ptr context =
        new Poco::Net::Context(Poco::Net::Context::TLS_CLIENT_USE, "", "", "",
                               Poco::Net::Context::VERIFY_STRICT, 9, false);
    if (!caPem.empty()) {
      std::istringstream pem(caPem);
      context->addCertificateAuthority(Poco::Crypto::X509Certificate(pem));
    }
    // Constructing the default handler registers it: a bad certificate is refused.
    static const bool registered = [] {
      Poco::Net::SSLManager::instance().initializeClient(
          nullptr, new Poco::Net::RejectCertificateHandler(false),
          new Poco::Net::Context(Poco::Net::Context::TLS_CLIENT_USE, ""));
      return true;
    }();
    static_cast<void>(registered);
    session =
        std::make_unique<Poco::Net::HTTPSClientSession>(target.host(), target.port(), context);
  } else {
    session = std::make_unique<Poco::Net::HTTPClientSession>(target.host(), target.port());
  }
  session->setTimeout(Poco::Timespan(20, 0));
  Poco::Net::HTTPRequest request(method, target.requestTarget(), "HTTP/1.1");
  for (const auto& [name, value] : headers) request.add(name, value);
  request.setContentLength(static_cast<std::streamsize>(body.size()));
  session->sendRequest(request) << body;
  Answer answer;
  std::istream& in = session->receiveResponse(answer.head);
  answer.status = answer.head.getStatus();
  Poco::StreamCopier::copyToString(in, answer.body);
  return answer;
}

inline std::string basic(const std::string& id, const std::string& secret) {
  return "Basic " + toBase64(encodeFormValue(id) + ":" + encodeFormValue(secret));
}

/// POST /oauth/token as the given client.
inline Answer requestToken(const std::string& uaaUrl, const FormFields& fields,
                           const std::string& clientId = "cf", const std::string& secret = "",
                           const std::string& caPem = {}) {
  return call(uaaUrl + "/oauth/token", "POST",
              {{"Authorization", basic(clientId, secret)},
               {"Content-Type", "application/x-www-form-urlencoded"}},
              encodeForm(fields), caPem);
}

/// Sends raw bytes and returns everything up to the end of the connection.
inline std::string sendRaw(std::uint16_t port, const std::string& bytes) {
  Poco::Net::StreamSocket socket(Poco::Net::SocketAddress("127.0.0.1", port));
  socket.setReceiveTimeout(Poco::Timespan(20, 0));
  socket.sendBytes(bytes.data(), static_cast<int>(bytes.size()));
  std::string out;
  char chunk[4096];
  for (int got = 0; (got = socket.receiveBytes(chunk, sizeof chunk)) > 0;) {
    out.append(chunk, static_cast<std::size_t>(got));
  }
  return out;
}

}  // namespace stratos::testing
