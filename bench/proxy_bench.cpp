#include <benchmark/benchmark.h>

#include <map>
#include <string>

#include "stratos/proxy/fan_out.hpp"
#include "stratos/proxy/header_policy.hpp"
#include "stratos/proxy/target.hpp"

namespace stratos::proxy {

namespace {

/// A list of applications as a Cloud Controller prints it, of `bytes` or a little more.
std::string makeDocument(std::size_t bytes) {
  const std::string entry =
      "    {\n      \"guid\": \"1cb006ee-fb05-47e1-b541-c34179ddc446\",\n"
      "      \"name\": \"my_app\",\n"
      "      \"state\": \"STARTED\",\n      \"created_at\": \"2016-03-17T21:41:30Z\",\n"
      "      \"instances\": 2,\n      \"lifecycle\": { \"type\": \"buildpack\", \"data\": {\n"
      "        \"buildpacks\": [ \"java_buildpack\" ], \"stack\": \"cflinuxfs4\" } }\n    }";
  std::string document = "{\n  \"resources\": [\n" + entry;
  while (document.size() < bytes) document += ",\n" + entry;
  return document + "\n  ]\n}\n";
}

/// `base`, filled up to `count` fields.
http::Headers fillUp(http::Headers base, std::int64_t count) {
  for (auto i = static_cast<std::int64_t>(base.size()); i < count; ++i) {
    base.add("X-Custom-Field-" + std::to_string(i), "some value of the usual length");
  }
  return base;
}

void BM_ForwardHeaders(benchmark::State& state) {
  const http::Headers browser =
      fillUp({{"Host", "console.example.com"},
              {"User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101"},
              {"Accept", "application/json, text/plain, */*"},
              {"Accept-Language", "en-GB,en;q=0.5"},
              {"Accept-Encoding", "gzip, deflate, br"},
              {"Cookie", "console-session=" + std::string(87, 'c')},
              {"x-cap-cnsi-list", "2mBHKnQ8vCvLbDMrVBHkvGmBxYM"},
              {"x-cap-passthrough", "true"}},
             state.range(0));
  for (auto _ : state) {
    benchmark::DoNotOptimize(requestHeaders(browser));
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(BM_ForwardHeaders)->ArgName("headers")->Arg(8)->Arg(32);

void BM_ReturnHeaders(benchmark::State& state) {
  const Url endpoint = Url::parse("https://api.example.com");
  const http::Headers answer =
      fillUp({{"Content-Type", "application/json; charset=utf-8"},
              {"Content-Length", "1024"},
              {"Date", "Sun, 06 Nov 1994 08:49:37 GMT"},
              {"ETag", "W/\"0123456789abcdef\""},
              {"Link", "<https://api.example.com/v3/apps?page=2>; rel=\"next\""},
              {"Set-Cookie", "__VCAP_ID__=1234; Path=/"},
              {"X-Vcap-Request-Id", "e41a3a1b-1b1a-4b5e-9f8b-6d3f5cb4e2a5"},
              {"Server", "nginx"}},
             state.range(0));
  for (auto _ : state) {
    benchmark::DoNotOptimize(responseHeaders(answer, endpoint));
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(BM_ReturnHeaders)->ArgName("headers")->Arg(8)->Arg(32);

void BM_JoinPath(benchmark::State& state) {
  std::string rest = "v3/apps/1cb006ee-fb05-47e1-b541-c34179ddc446/processes/web";
  if (!joinPath("", rest)) state.SkipWithError("the path was refused");
  for (auto _ : state) {
    benchmark::DoNotOptimize(rest);
    benchmark::DoNotOptimize(joinPath("", rest));
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_JoinPath);

void BM_CompactJson(benchmark::State& state) {
  const std::string document = makeDocument(static_cast<std::size_t>(state.range(0)));
  std::string out;
  for (auto _ : state) {
    out.clear();
    if (!compactJson(document, out)) state.SkipWithError("the document is no JSON");
    benchmark::DoNotOptimize(out);
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(document.size()));
}
BENCHMARK(BM_CompactJson)->ArgName("bytes")->Arg(1024)->Arg(64 * 1024)->Arg(1024 * 1024);

/// The answer to a fan-out from bodies of 4 KiB: check, compaction and assembly.
void BM_FanOutBody(benchmark::State& state) {
  const std::string document = makeDocument(4 * 1024);
  std::size_t bytes = 0;
  for (auto _ : state) {
    std::map<std::string, FanOutEntry> entries;
    for (std::int64_t i = 0; i < state.range(0); ++i) {
      entries.emplace("endpoint-" + std::to_string(i), FanOutEntry::answered(200, "OK", document));
    }
    const std::string body = fanOutBody(entries);
    benchmark::DoNotOptimize(body.data());
    bytes = body.size();
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(bytes));
}
BENCHMARK(BM_FanOutBody)->ArgName("endpoints")->Arg(1)->Arg(3)->Arg(10);

}  // namespace

}  // namespace stratos::proxy
