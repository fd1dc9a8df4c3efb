#include "console/endpoint_json.hpp"

#include <gtest/gtest.h>

#include <string>

#include "console/parse_bool.hpp"

namespace stratos::console {
namespace {

std::string urlJson(const std::string& url) {
  JsonWriter json;
  writeUrl(json, url);
  return json.str();
}

TEST(EndpointJsonTest, WritesUrlsAsTheFrontEndKnowsThem) {
  EXPECT_EQ(urlJson("https://api.example.com:8443/base"),
            R"({"Scheme":"https","Opaque":"","User":null,"Host":"api.example.com:8443",)"
            R"("Path":"/base","RawPath":"","OmitHost":false,"ForceQuery":false,"RawQuery":"",)"
            R"("Fragment":"","RawFragment":""})");
}

TEST(EndpointJsonTest, AStoredTextThatIsNoUrlIsStillTruthy) {
  const std::string json = urlJson("not a url");
  EXPECT_NE(json.find(R"("Path":"not a url")"), std::string::npos) << json;
  EXPECT_NE(json.find(R"("Scheme":"")"), std::string::npos) << json;
}

TEST(EndpointJsonTest, UsersHaveNullOrAListAsScopes) {
  JsonWriter without;
  writeUser(without, {.guid = "g", .name = "n", .admin = false, .scopes = std::nullopt});
  EXPECT_EQ(without.str(), R"({"guid":"g","name":"n","admin":false,"scopes":null})");
  JsonWriter with;
  writeUser(with, {.guid = "g", .name = "n", .admin = true, .scopes = {{"a", "b"}}});
  EXPECT_EQ(with.str(), R"({"guid":"g","name":"n","admin":true,"scopes":["a","b"]})");
}

TEST(EndpointJsonTest, TheRecordNeverHoldsTheClientSecret) {
  store::EndpointRecord record;
  record.clientSecret = Secret{"hidden"};
  JsonWriter json;
  writeEndpoint(json, record);
  EXPECT_EQ(json.str().find("hidden"), std::string::npos);
}

TEST(ParseBoolTest, KnowsExactlyTheSpellingsOfTheWire) {
  for (const char* yes : {"1", "t", "T", "TRUE", "true", "True"}) EXPECT_EQ(parseBool(yes), true);
  for (const char* no : {"0", "f", "F", "FALSE", "false", "False"}) EXPECT_EQ(parseBool(no), false);
  for (const char* none : {"", "undefined", "null", "yes", "tRUE", "01", " true", "true "}) {
    EXPECT_EQ(parseBool(none), std::nullopt) << none;
  }
}

}  // namespace
}  // namespace stratos::console
