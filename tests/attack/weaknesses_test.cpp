// Which test shows that which known weakness of upstream is closed. S are those of security, P
// those of sessions and what is kept of them.

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <regex>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace stratos {
namespace {

const std::map<std::string, std::vector<std::string>> kTests{
    // An unset session secret.
    {"S1",
     {"SessionManagerTest.RefusesSettingsThatAreNotSafe",
      "StorageTest.KeepsTheGeneratedSessionSecretEncrypted",
      "SessionManagerTest.KeepsOnlyAHashInTheDatabase"}},
    // A profile of another user.
    {"S2", {"LocalUserTest.S2NobodyReachesAnotherUsersProfile"}},
    {"S3", {"UaaUserTest.S3AnIdNeverLeavesItsPlace"}},
    // API keys that open sessions.
    {"S4", {"ApiKeyAttackTest.S4AKeyTouchesNoSession"}},
    // Single sign-on that is bound to no browser, and returns anywhere.
    {"S5",
     {"SsoAttackTest.S5TheCallbackWorksInTheBrowserThatBeganOnly",
      "SsoAttackTest.S5ReturnsToOurOwnOriginOnly",
      "SsoAttackTest.S5AllowListComparesSchemeHostPortAndPath"}},
    {"S6", {"SsoTest.SignsOutAtTheUaaWhereThatIsWanted"}},
    // Fixation.
    {"S7",
     {"SsoAttackTest.S7APlantedSessionIsNotTakenOver",
      "LocalLoginTest.AlwaysMakesANewSessionAndEndsTheOldOne"}},
    // Roles by substring.
    {"S8",
     {"AttackTest.S8RolesAreExactScopes", "OidcLoginTest.S8RolesAreExact",
      "LocalLoginTest.RefusesAnEmptyAdministratorScope"}},
    // Tokens without a check of their signature.
    {"S9",
     {"JwtVerifierTest.S9AnUnsignedTokenIsRefused", "OidcLoginTest.S9AWrongIdTokenIsRefused"}},
    // Set-up by strangers.
    {"S10",
     {"SetupAttackTest.S10StrangersCannotSetUp", "SetupAttackTest.S10OfTwoWhoSaveAtOnceOneWins"}},
    // Guessing, and the time that names take.
    {"S11",
     {"LoginThrottleTest.S11WaitsLongerAfterEachFailureUpToAnEnd",
      "LoginThrottleTest.S11NobodyLocksAnotherOut",
      "PasswordCheckerTest.S11TheTimeOfALoginTellsNoNames",
      "LocalLoginTest.TakesNoCredentialsFromTheQuery"}},
    // Requests of other sites.
    {"S12",
     {"RoutesAttackTest.S12NoRouteChangesAnythingWithoutTheXsrfToken",
      "RoutesAttackTest.S12NoRouteListensToOtherSites", "RoutesAttackTest.S12NothingIsUpgraded"}},
    // CORS for everybody.
    {"S13",
     {"RoutesAttackTest.S13NoRouteSharesItsAnswersWithOtherSites", "CorsTest.FollowsTheTable"}},
    // Old TLS, no limits, no security fields.
    {"S14",
     {"TlsServerTest.S14OldVersionsOfTlsAreRefused",
      "RoutesAttackTest.S14EveryAnswerHasTheSecurityFields", "HttpServerLimitsTest.EndsASlowHead",
      "HttpServerLimitsTest.EndsASlowBody", "HttpServerLimitsTest.RefusesWhatIsTooLarge"}},
    // What outlives a sign-out, a password or a role.
    {"S15", {"ApiKeyAttackTest.S15AKeyIsWorthWhatItsUserIs", "LocalUserTest.ChangesThePassword"}},
    {"S16", {"ApiKeyAttackTest.S16TheStoredHashOpensNothing", "ApiKeyStoreTest.KeepsAHashOnly"}},
    // Encryption without authentication, keys that are none.
    {"S17",
     {"TokenCipherTest.GcmFindsEveryFlippedByteAndEveryTruncation",
      "EncryptionKeyTest.AcceptsUpstreamsLengthsOnly", "EncryptionKeyTest.KnowsThePublishedKey"}},
    // Secrets in logs.
    {"S18",
     {"SettingsTest.NeverShowsASecretValue", "UaaClient.NeverRepeatsASecretThatTheServerQuotes"}},
    // Certificate checks that are off.
    {"S19", {"TlsTransportTest.SkipsVerificationOnlyWhenAsked"}},
    {"S20",
     {"SsoTest.IsNotThereWhenItIsOff", "SsoTest.PasswordsWorkBesideItUnlessTheyAreTurnedOff"}},
    // Passwords in header fields.
    {"S21",
     {"RoutesAttackTest.S21PasswordsInFieldsAreNotLogged",
      "LocalUserTest.S21SaysWhatIsWrongWithAPassword"}},
    // Who the client is; forged lines in the log.
    {"S22",
     {"AttackTest.S22ForwardedFieldsOfStrangersAreNotBelieved",
      "LogSinkTest.EscapesWhatCouldForgeALineOrReachATerminal"}},
    {"S23", {"RoutesAttackTest.S23StrangersGetNothingAndAreToldSo"}},
    // Addresses of the caller's choice.
    {"S24",
     {"RegisterTest.RefusesWhatIsMissingOrWrong", "UrlTest.RefusesWhatIsNoHttpUrl",
      "AddressPolicyTest.S24RefusesWhatOnlyThisMachineReaches",
      "AddressAttackTest.S24NoSpellingOfAnAddressGetsPast",
      "AddressAttackTest.S24ANameThatChangesItsAddressIsJudgedAnew",
      "AddressAttackTest.S24ARedirectIsJudgedAnew"}},
    {"S25",
     {"AuditTest.S25AConversationIsAuditedAsDocumented",
      "AuditTest.S25ThePageListsWhatTheSourcesWrite"}},
    // An outage that signs everybody out.
    {"P1",
     {"AccessTest.OutageOfTheDatabaseIs503AndKeepsTheCookie",
      "VerifyTest.OutageOfTheDatabaseSignsNobodyOut"}},
    // Clean-up that deletes the wrong rows.
    {"P2",
     {"SessionManagerTest.SweepDeletesOnlyWhatExpired", "VerifyTest.SweepKeepsWhatIsInForce"}},
    // A session without its token, and the other way round.
    {"P3", {"SsoTest.LeavesNothingBehindWhenTheUserCannotBeStored"}},
    {"P4", {"LocalLoginTest.SetsNothingWhenTheDatabaseIsAway"}},
    // Two renewals at once.
    {"P5",
     {"TokenBrokerTest.RedeemsEachRefreshTokenOnceHoweverManyReplicasAsk",
      "UaaVerifyTest.OutageOfTheUaaKeepsTheSession"}},
    {"P6", {"TokenStoreTest.EmptyRefreshTokenIsStoredEncrypted"}},
    {"P7", {"TokenStoreTest.LinkedTokenIsTheConsoleTokenOfTheSameUser"}},
    // Time zones.
    {"P8", {"TimestampTest.WritesUtcWithMilliseconds", "LocalUserStoreTest.RecordsTheLoginInUtc"}},
    {"P9",
     {"SessionManagerTest.ServesManyThreads",
      "SessionManagerTest.RefusesForgedValuesWithoutAskingTheDatabase"}},
    {"P10",
     {"SessionManagerTest.RefusesSettingsThatAreNotSafe",
      "ServerConfigTest.ForgivesASessionLifetimeThatIsNoNumber"}},
    {"P11", {"StorageTest.DeletesTheDatabaseOnlyWhenToldTo"}},
    {"P12", {"SessionListTest.ASessionEndsWithItsGreatestAge"}},
};

/// Suite.Case of every test in the sources.
std::set<std::string> casesInSources() {
  std::set<std::string> cases;
  const std::regex test(R"(\bTEST(?:_F|_P)?\((\w+),\s*(\w+)\))");
  for (const auto& entry :
       std::filesystem::recursive_directory_iterator(STRATOS_SOURCE_DIR "/tests")) {
    if (entry.path().extension() != ".cpp") continue;
    std::ifstream file(entry.path());
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    for (std::sregex_iterator match(text.begin(), text.end(), test), end; match != end; ++match) {
      cases.insert((*match)[1].str() + "." + (*match)[2].str());
    }
  }
  return cases;
}

TEST(WeaknessesTest, EachHasATestThatExists) {
  const auto cases = casesInSources();
  for (const auto& [prefix, count] : {std::pair{"S", 25}, std::pair{"P", 12}}) {
    for (int i = 1; i <= count; ++i) {
      const std::string name = prefix + std::to_string(i);
      ASSERT_TRUE(kTests.contains(name)) << name;
      EXPECT_FALSE(kTests.at(name).empty()) << name;
      for (const std::string& test : kTests.at(name)) {
        EXPECT_TRUE(cases.contains(test)) << name << ": " << test;
      }
    }
  }
}

TEST(WeaknessesTest, TestsThatAreNamedAfterOneNameOneThatIsKnown) {
  const std::regex named(R"(\w+\.([SP]\d+)[A-Z]\w*)");
  for (const std::string& test : casesInSources()) {
    std::smatch match;
    if (std::regex_match(test, match, named)) {
      EXPECT_TRUE(kTests.contains(match[1].str())) << test;
    }
  }
}

}  // namespace
}  // namespace stratos
