#pragma once

#include <string>

#include "console_fixture.hpp"
#include "stratos/testing/fake_upstream.hpp"

namespace stratos::compat {

/// A console with every type of endpoint, an administrator signed in.
class EndpointsTest : public ConsoleTest {
 protected:
  void SetUp() override;

  [[nodiscard]] Browser& admin() { return *admin_; }
  /// Where Google's tokens come from.
  [[nodiscard]] testing::FakeUpstream& google() { return *google_; }
  /// `POST /api/v1/endpoints` as the front end sends it, with `changes` to the form.
  Answer registerAt(const std::string& type, const std::string& url, const Fields& changes = {});
  /// registerAt() that has to succeed; returns the GUID.
  std::string add(const std::string& type, const std::string& url, const Fields& changes = {});
  /// `POST /api/v1/tokens` with a form, or with a raw body.
  Answer connect(const std::string& guid, const std::string& connectType, const Fields& form = {});
  Answer connectWithFile(const std::string& guid, const std::string& connectType,
                         const std::string& body);
  /// A call through `/api/v1/proxy/{guid}`.
  Answer call(const std::string& guid, const std::string& path, const Fields& headers = {});
  /// The member `user` of the endpoint in the info document; "null" when it is not connected.
  [[nodiscard]] std::string userOf(const std::string& type, const std::string& guid);
  /// Every endpoint and token row, with its secrets as they are stored.
  [[nodiscard]] std::string rows();
  /// The administrator's token of the endpoint.
  [[nodiscard]] store::TokenRecord token(const std::string& guid);
  /// Disconnects and unregisters, and checks that nothing is left.
  void removeAll(const std::string& type, const std::string& guid);
  /// A refusal for the browser, which changed no row: status and text.
  void expectRefused(const Answer& answer, int status, const std::string& text,
                     const std::string& rowsBefore);

 private:
  std::unique_ptr<testing::FakeUpstream> google_;
  std::optional<Browser> admin_;
};

}  // namespace stratos::compat
