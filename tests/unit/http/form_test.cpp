#include "stratos/http/form.hpp"

#include <gtest/gtest.h>

#include "stratos/base/error.hpp"

namespace stratos::http {
namespace {

Request makeRequest(const std::string& target, const std::string& type, const std::string& body) {
  Request request;
  request.method = "POST";
  request.target = target;
  if (!type.empty()) request.headers.set("Content-Type", type);
  request.body = Body(body);
  return request;
}

const std::string kMultipart =
    "--XX\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nmultipart\r\n"
    "--XX\r\nContent-Disposition: form-data; name=\"b\\\"c\"\r\nContent-Type: text/plain\r\n\r\n"
    "line1\r\nline2\r\n"
    "--XX\r\nContent-Disposition: form-data; name=\"f\"; filename=\"x.txt\"\r\n\r\nfile\r\n"
    "--XX\r\nContent-Disposition: form-data; name=empty\r\n\r\n\r\n--XX--\r\n";

TEST(FormTest, AnUrlencodedBodyBeatsTheQueryAndTheQueryThePath) {
  Request request = makeRequest("/x?a=query&b=query",
                                "application/x-www-form-urlencoded; charset=x", "a=body&a=second");
  request.pathParams = {{"b", "path"}, {"c", "path"}, {"*", "rest"}};
  const FormParameters parameters = readParameters(request);
  EXPECT_EQ(parameters.get("a"), "body");
  EXPECT_EQ(parameters.get("b"), "query");
  EXPECT_EQ(parameters.get("c"), "path");
  EXPECT_FALSE(parameters.has("*"));
  EXPECT_EQ(parameters.get("missing"), "");
}

TEST(FormTest, TheQueryBeatsMultipart) {
  Request request = makeRequest("/x?a=query", "multipart/form-data; boundary=\"XX\"", kMultipart);
  const FormParameters parameters = readParameters(request);
  EXPECT_EQ(parameters.get("a"), "query");
  EXPECT_EQ(parameters.get("b\"c"), "line1\r\nline2");
  EXPECT_TRUE(parameters.has("empty"));
  EXPECT_FALSE(parameters.has("f"));
}

TEST(FormTest, AFlatJsonObjectBeatsTheQuery) {
  Request request = makeRequest("/x?a=query&z=1", "application/json",
                                R"({"a":"body","n":12,"t":true,"o":{"k":[1]},"e":null})");
  const FormParameters parameters = readParameters(request);
  EXPECT_EQ(parameters.get("a"), "body");
  EXPECT_EQ(parameters.get("n"), "12");
  EXPECT_EQ(parameters.get("t"), "true");
  EXPECT_EQ(parameters.get("o"), R"({"k":[1]})");
  EXPECT_FALSE(parameters.has("e"));
  EXPECT_EQ(parameters.get("z"), "1");
}

TEST(FormTest, OtherTypesStayRaw) {
  Request request = makeRequest("/x?a=1", "text/yaml", "a: 2");
  const FormParameters parameters = readParameters(request);
  EXPECT_EQ(parameters.rawBody, "a: 2");
  EXPECT_EQ(parameters.get("a"), "1");
}

TEST(FormTest, CredentialsNeverComeFromTheQuery) {
  Request request =
      makeRequest("/x?username=q", "application/x-www-form-urlencoded", "password=p+w");
  const FormParameters parameters = readBodyForm(request);
  EXPECT_FALSE(parameters.has("username"));
  EXPECT_EQ(parameters.get("password"), "p w");
  Request multipart = makeRequest("/x?a=query", "multipart/form-data; boundary=XX", kMultipart);
  EXPECT_EQ(readBodyForm(multipart).get("a"), "multipart");
}

TEST(FormTest, RefusesMalformedInput) {
  struct Case {
    const char* target;
    const char* type;
    std::string body;
  };
  const Case cases[] = {
      {"/x?a=%zz", "", ""},
      {"/x", "application/x-www-form-urlencoded", "a=%"},
      {"/x", "application/json", "{"},
      {"/x", "application/json", "[1]"},
      {"/x", "application/json", "{} {}"},
      {"/x", "application/json", "{\"a\":\"\xff\"}"},
      {"/x", "application/json", std::string(100'000, '[')},
      {"/x", "multipart/form-data", kMultipart},
      {"/x", "multipart/form-data; boundary=YY", kMultipart},
      {"/x", "multipart/form-data; boundary=XX", kMultipart.substr(0, kMultipart.size() - 10)},
      {"/x", "multipart/form-data; boundary=XX", "--XX\r\n\r\n\r\nvalue\r\n--XX--"},
      {"/x", "multipart/form-data; boundary=XX", "--XX"},
      {"/x", "multipart/form-data; boundary=XX", "--XXgarbage"},
  };
  for (const Case& c : cases) {
    Request request = makeRequest(c.target, c.type, c.body);
    try {
      (void)readParameters(request);
      ADD_FAILURE() << c.target << " " << c.type << " " << c.body.substr(0, 50);
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), ErrorCode::InvalidArgument);
    }
  }
}

TEST(FormTest, KeepsItsLimits) {
  FormLimits limits;
  limits.bodyBytes = 10;
  limits.fields = 2;
  Request large = makeRequest("/x", "application/x-www-form-urlencoded", "a=123456789");
  EXPECT_THROW((void)readParameters(large, limits), Error);
  Request many = makeRequest("/x?c", "application/x-www-form-urlencoded", "a&b");
  EXPECT_THROW((void)readParameters(many, limits), Error);
}

}  // namespace
}  // namespace stratos::http
