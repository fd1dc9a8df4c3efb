#include "stratos/store/cached_stores.hpp"

#include "store/snapshot_cache.hpp"

namespace stratos::store {

namespace {

template <class Value>
std::optional<Value> copyOf(const std::shared_ptr<const Value>& value) {
  return value ? std::optional(*value) : std::nullopt;
}

/// Forgets when it dies: also when the change failed, as a failed COMMIT may have been carried out.
template <class Act>
class Forget {
 public:
  explicit Forget(Act act) : act_(std::move(act)) {}
  ~Forget() { act_(); }
  Forget(const Forget&) = delete;
  Forget& operator=(const Forget&) = delete;

 private:
  Act act_;
};

class CachedSessions final : public SessionStore {
 public:
  CachedSessions(SessionStore& behind, const Clock& clock, const CacheOptions& options)
      : behind_(behind), clock_(clock), cache_(clock, options.staleness, options.sessions) {}

  void insert(const SessionRecord& record) override { behind_.insert(record); }
  [[nodiscard]] std::optional<SessionRecord> find(const std::string& idHash) override {
    const auto load = [&] { return behind_.find(idHash); };
    auto found = cache_.get(idHash, load);
    // Another process may have renewed it a moment ago.
    if (found && found->expiresAt <= clock_.now()) {
      cache_.invalidate(idHash);
      found = cache_.get(idHash, load);
    }
    return copyOf(found);
  }
  [[nodiscard]] std::vector<SessionRecord> listForUser(const UserId& user) override {
    return behind_.listForUser(user);
  }
  bool update(const SessionRecord& record) override {
    const Forget forgetting([&] { cache_.invalidate(record.idHash); });
    return behind_.update(record);
  }
  bool remove(const std::string& idHash) override {
    const Forget forgetting([&] { cache_.invalidate(idHash); });
    return behind_.remove(idHash);
  }
  bool removeByPublicId(const UserId& user, const std::string& publicId) override {
    const Forget forgetting([&] { forgetUser(user); });
    return behind_.removeByPublicId(user, publicId);
  }
  std::int64_t removeForUser(const UserId& user) override {
    const Forget forgetting([&] { forgetUser(user); });
    return behind_.removeForUser(user);
  }
  std::int64_t removeOthers(const UserId& user, const std::string& keptIdHash) override {
    const Forget forgetting([&] { forgetUser(user); });
    return behind_.removeOthers(user, keptIdHash);
  }
  // An expired session is judged so wherever it comes from.
  std::int64_t removeExpired(TimePoint now) override { return behind_.removeExpired(now); }

  void forget(const std::string& idHash) { cache_.invalidate(idHash); }
  void clear() { cache_.clear(); }
  void prune() { cache_.prune(); }

 private:
  void forgetUser(const UserId& user) {
    cache_.invalidateIf([&](const SessionRecord& record) { return record.user == user; });
  }

  SessionStore& behind_;
  const Clock& clock_;
  SnapshotCache<SessionRecord> cache_;
};

class CachedTokens final : public TokenStore {
 public:
  CachedTokens(TokenStore& behind, const Clock& clock, const CacheOptions& options)
      : behind_(behind), cache_(clock, options.staleness, options.tokens) {}

  [[nodiscard]] std::optional<TokenRecord> findForEndpoint(const UserId& user,
                                                           const EndpointId& endpoint) override {
    return find(user, endpoint.str(), [&] { return behind_.findForEndpoint(user, endpoint); });
  }
  /// Asked when a token is about to be renewed or was refused, so the row itself is wanted; and
  /// what is cached for its user may be what was refused.
  [[nodiscard]] std::optional<TokenRecord> findById(const UserId& owner,
                                                    const TokenId& id) override {
    const Forget forgetting([&] { forget(owner.str()); });
    return behind_.findById(owner, id);
  }
  [[nodiscard]] std::optional<TokenRecord> findConsoleToken(const UserId& user) override {
    return find(user, std::string{kConsoleEndpointGuid},
                [&] { return behind_.findConsoleToken(user); });
  }
  [[nodiscard]] std::vector<TokenRecord> listForUser(const UserId& user,
                                                     std::vector<EndpointId>* unreadable) override {
    return behind_.listForUser(user, unreadable);
  }
  TokenRecord saveConsoleToken(const TokenRecord& record) override {
    const Forget forgetting([&] { forget(record.owner.str()); });
    return behind_.saveConsoleToken(record);
  }
  TokenRecord saveEndpointToken(const TokenRecord& record) override {
    const Forget forgetting([&] { forget(record.owner.str()); });
    return behind_.saveEndpointToken(record);
  }
  [[nodiscard]] std::optional<TokenRecord> replaceIfUnchanged(const TokenRecord& record) override {
    const Forget forgetting([&] { forget(record.owner.str()); });
    return behind_.replaceIfUnchanged(record);
  }
  bool removeForEndpoint(const UserId& owner, const EndpointId& endpoint) override {
    const Forget forgetting([&] { forget(owner.str()); });
    return behind_.removeForEndpoint(owner, endpoint);
  }
  bool markDisconnected(const UserId& owner, const EndpointId& endpoint) override {
    const Forget forgetting([&] { forget(owner.str()); });
    return behind_.markDisconnected(owner, endpoint);
  }
  [[nodiscard]] bool wasDisconnected(const UserId& owner, const EndpointId& endpoint) override {
    return behind_.wasDisconnected(owner, endpoint);
  }

  /// Rows of one user may link to each other, and everybody may use rows of the shared one.
  void forget(const std::string& owner) {
    if (owner == kSharedUserGuid) return cache_.clear();
    cache_.invalidateGroup(owner);
  }
  void clear() { cache_.clear(); }
  void prune() { cache_.prune(); }

 private:
  template <class Load>
  std::optional<TokenRecord> find(const UserId& user, const std::string& endpoint, Load&& load) {
    return copyOf(cache_.get(user.str() + '\n' + endpoint, load));
  }

  TokenStore& behind_;
  SnapshotCache<TokenRecord> cache_;
};

class CachedEndpoints final : public EndpointStore {
 public:
  CachedEndpoints(EndpointStore& behind, CachedTokens& tokens, const Clock& clock,
                  const CacheOptions& options)
      : behind_(behind), tokens_(tokens), cache_(clock, options.staleness, options.endpoints) {}

  [[nodiscard]] std::vector<EndpointRecord> list() override { return behind_.list(); }
  [[nodiscard]] std::optional<EndpointRecord> find(const EndpointId& id) override {
    return copyOf(cache_.get(id.str(), [&] { return behind_.find(id); }));
  }
  void insert(const EndpointRecord& record) override { behind_.insert(record); }
  bool update(const EndpointRecord& record) override {
    const Forget forgetting([&] { cache_.invalidate(record.id.str()); });
    return behind_.update(record);
  }
  bool updateMetadata(const EndpointId& id, const std::string& metadata) override {
    const Forget forgetting([&] { cache_.invalidate(id.str()); });
    return behind_.updateMetadata(id, metadata);
  }
  bool removeWithDependents(const EndpointId& id) override {
    const Forget forgetting([&] {
      cache_.invalidate(id.str());
      tokens_.clear();
    });
    return behind_.removeWithDependents(id);
  }

  void forget(const std::string& id) { cache_.invalidate(id); }
  void clear() { cache_.clear(); }
  void prune() { cache_.prune(); }

 private:
  EndpointStore& behind_;
  CachedTokens& tokens_;
  SnapshotCache<EndpointRecord> cache_;
};

}  // namespace

class CachedStores::Impl {
 public:
  Impl(SessionStore& sessionStore, EndpointStore& endpointStore, TokenStore& tokenStore,
       const Clock& clock, const CacheOptions& options)
      : sessions(sessionStore, clock, options),
        tokens(tokenStore, clock, options),
        endpoints(endpointStore, tokens, clock, options) {}

  CachedSessions sessions;
  CachedTokens tokens;
  CachedEndpoints endpoints;
};

CachedStores::CachedStores(SessionStore& sessions, EndpointStore& endpoints, TokenStore& tokens,
                           const Clock& clock, CacheOptions options)
    : impl_(std::make_unique<Impl>(sessions, endpoints, tokens, clock, options)) {}

CachedStores::~CachedStores() = default;

SessionStore& CachedStores::sessions() noexcept { return impl_->sessions; }
EndpointStore& CachedStores::endpoints() noexcept { return impl_->endpoints; }
TokenStore& CachedStores::tokens() noexcept { return impl_->tokens; }

void CachedStores::apply(std::string_view announcement) {
  const auto blank = announcement.find(' ');
  const std::string_view kind = announcement.substr(0, blank);
  const std::string name{blank == std::string_view::npos ? "" : announcement.substr(blank + 1)};
  if (kind == "session" && !name.empty()) {
    impl_->sessions.forget(name);
  } else if (kind == "endpoint" && !name.empty()) {
    impl_->endpoints.forget(name);
  } else if (kind == "token" && !name.empty()) {
    impl_->tokens.forget(name);
  } else {
    clear();
  }
}

void CachedStores::clear() {
  impl_->sessions.clear();
  impl_->endpoints.clear();
  impl_->tokens.clear();
}

void CachedStores::prune() {
  impl_->sessions.prune();
  impl_->endpoints.prune();
  impl_->tokens.prune();
}

}  // namespace stratos::store
