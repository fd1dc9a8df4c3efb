#pragma once

#include <filesystem>

#include "stratos/base/export.hpp"
#include "stratos/http/message.hpp"

namespace stratos::http {

/// Serves the built front end from a folder: files by extension type, Last-Modified, conditional
/// requests, single byte ranges, gzip for text when the client accepts it, `index.html` for a
/// folder and, for GET and HEAD of anything unknown, so that client-side routes survive a reload.
/// Never leaves the folder: the decoded path is checked segment by segment and symbolic links that
/// lead outside are not followed. `..` answers 400.
///
/// Thread safety: safe from any thread. The folder may change while it is being served.
class STRATOS_EXPORT StaticFiles final : public Handler {
 public:
  /// Throws Error(NotFound) when `folder` is no directory.
  explicit StaticFiles(std::filesystem::path folder);

  [[nodiscard]] Response handle(Request& request) override;

 private:
  std::filesystem::path folder_;
};

}  // namespace stratos::http
