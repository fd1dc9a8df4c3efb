/* The protocol by which replicas renew a token (libstratos/doc/token-broker.md), for spin.
 *
 * A replica here is the leader of the single flight in one process. It dies at any moment and starts
 * again with an empty memory; the lease of the dead ends some time later. The server revokes a
 * refresh token when it is redeemed, may be away, and its answer may be lost. Tokens expire, a user
 * connects again, the row is encrypted anew.
 *
 * What must hold:
 *   1. no refresh token is redeemed twice, unless the only one who knew its successor died or never
 *      got it;
 *   2. a token is rejected only if it was lost in that way;
 *   3. nobody overwrites a row that holds something else than what was redeemed;
 *   4. in the end the row holds a token that works, or one that was lost;
 *   5. nobody waits for ever (spin: no invalid end state).
 *
 * A lease is longer than the server may take, so it does not end under a living holder. With
 * SLOW_HOLDER it does, as when a machine sleeps: then 3, 4 and 5 still hold, and after what was
 * stored late no rejection is left (2 in the end). The same holds with OUTAGE: the database is away
 * for a while, and a replica that could not store what it was granted keeps it and writes it later.
 *
 * Variants that must fail, so that the model is known to be able to: NO_LEASE, NO_LEASE_END,
 * NO_COMPARE (writes without comparing), NO_REREAD (believes a refusal without a look at the row;
 * with SLOW_HOLDER), NO_WRITER (writes what it kept only when it is asked again; with OUTAGE).
 */

#ifdef OUTAGE
#define SLOW_HOLDER
#define UP !isDown
#define CALM true /* No other trouble then, or there are too many states. */
#else
#define UP true
#define CALM false
#endif

#ifndef REPLICAS
#define REPLICAS 3
#endif
#define REQUESTS 2 /* of each replica */
#define EXPIRIES 1 /* after the first */
#define DEATHS 1
#define TOKENS 8

#define NONE 255
#define FREE 0
#define DEAD 255

#define UNISSUED 0
#define VALID 1
#define REDEEMED 2

/* The server. */
byte token[TOKENS] = UNISSUED;
byte issued = 0;
bool isAway = CALM; /* Has been away once. */
bool hasLost = CALM; /* An answer has been lost. */

/* The row, and its lease. */
byte row;
byte version = 1;
bool isFresh = false;
byte lease = FREE;

bool isDown = false;
/* What a replica was granted and could not store, and the token in whose place it belongs. */
byte kept[REPLICAS] = NONE;
byte keptFor[REPLICAS] = NONE;

/* What the properties are about. */
bool lost[TOKENS] = false; /* Redeemed, and nobody knows the successor. */
byte rejected[REPLICAS] = 0; /* The version of the row that the replica holds for rejected. */
byte deaths = 0;
byte ended = 0;

inline issue(to) {
  assert(issued < TOKENS);
  token[issued] = VALID;
  to = issued;
  issued++
}

inline release() {
  if
  :: lease == me && UP -> lease = FREE
  :: lease == me && !(UP) -> lease = DEAD /* It cannot be given back and ends by itself. */
  :: else
  fi
}

inline storeKept(i) {
  if
  :: row == keptFor[i] ->
     row = kept[i];
     version++;
     isFresh = true
  :: else
  fi;
  kept[i] = NONE;
  keptFor[i] = NONE
}

/* The end of a request: what it knew is forgotten. */
inline forget() {
  seen = NONE;
  seenVersion = 0;
  granted = NONE
}

inline mayDie() {
  if
  :: atomic {
       deaths < DEATHS ->
       deaths++;
       if
       :: lease == me -> lease = DEAD
       :: else
       fi;
       if
       :: granted != NONE -> lost[seen] = true
       :: else
       fi;
       if
       :: kept[me - 1] != NONE ->
          lost[keptFor[me - 1]] = true;
          kept[me - 1] = NONE;
          keptFor[me - 1] = NONE
       :: else
       fi;
       rejected[me - 1] = 0;
       forget()
     };
     goto request
  :: true
  fi
}

active [REPLICAS] proctype Replica() {
  byte me = _pid + 1;
  byte requests = REQUESTS;
  byte seen = NONE;
  byte seenVersion = 0;
  byte granted = NONE;

  issued > 0;

request:
  if
  :: atomic { requests == 0 -> ended++ };
     goto end
  :: atomic { requests > 0 -> requests-- }
  fi;

  /* A row that is fresh serves those who wait, too. */
  atomic {
    if
    :: UP && isFresh -> goto request
#ifdef NO_LEASE
    :: !isFresh
#else
    :: UP && !isFresh && lease == FREE -> lease = me
#endif
    fi
  };
  mayDie();

  atomic {
    UP;
    if
    :: kept[me - 1] != NONE -> storeKept(me - 1)
    :: else
    fi;
    if
    :: isFresh || rejected[me - 1] == version ->
       release();
       goto request
    :: else ->
       seen = row;
       seenVersion = version
    fi
  };
  mayDie();

  /* The server is asked. */
  atomic {
    if
    :: !isAway -> /* It takes no notice. */
       isAway = true;
       release();
       forget();
       goto request
    :: token[seen] == VALID ->
       token[seen] = REDEEMED;
       issue(granted)
    :: token[seen] == VALID && !hasLost -> /* Its answer does not arrive. */
       hasLost = true;
       token[seen] = REDEEMED;
       lost[seen] = true;
       release();
       forget();
       goto request
    :: token[seen] == REDEEMED ->
#ifndef SLOW_HOLDER
       assert(lost[seen]); /* 1 */
#else
       skip
#endif
    fi
  };
  mayDie();

  if
  :: granted == NONE -> goto refused
  :: else
  fi;

store:
  atomic {
    if
#ifdef OUTAGE
    :: isDown -> /* It does not wait for ever. */
       kept[me - 1] = granted;
       keptFor[me - 1] = seen;
       granted = NONE;
       goto finish
#endif
#ifdef NO_COMPARE
    :: true ->
#else
    :: UP && version != seenVersion -> goto look
    :: UP && version == seenVersion ->
#endif
       assert(row == seen); /* 3 */
       row = granted;
       granted = NONE;
       version++;
       isFresh = true
    fi
  };
  goto finish;

look:
  mayDie();
  atomic {
    UP;
    if
    :: row != seen -> granted = NONE /* The newer one counts. */
    :: row == seen -> /* Only encrypted anew. */
       seenVersion = version;
       goto store
    fi
  };
  goto finish;

refused:
  atomic {
    UP;
    if
#ifndef NO_REREAD
    :: row != seen /* Somebody has stored another one. */
    :: row == seen ->
#else
    :: true ->
#endif
#ifndef SLOW_HOLDER
       assert(lost[seen]); /* 2 */
#endif
       rejected[me - 1] = version
    fi
  };

finish:
  mayDie();
  atomic {
    release();
    forget()
  };
  goto request;

end:
  skip
}

#if defined(OUTAGE) && !defined(NO_WRITER)
active proctype Writer() {
  do
  :: atomic { !isDown && kept[0] != NONE -> storeKept(0) }
  :: atomic { !isDown && kept[1] != NONE -> storeKept(1) }
  :: ended == REPLICAS && kept[0] == NONE && kept[1] == NONE -> break
  od;
  ended++
}
#define ALL REPLICAS + 1
#else
#define ALL REPLICAS
#endif

active proctype World() {
  bool wasDown = false;
  bool isReconnected = false;
  bool isRekeyed = false;
  byte expiries = 0;
  byte i = 0;

  atomic { issue(row) };
  do
  :: atomic { isFresh && expiries < EXPIRIES ->
       isFresh = false;
       expiries++
     }
  :: atomic { UP && !isReconnected ->
       isReconnected = true;
       issue(row);
       version++;
       isFresh = true
     }
  :: atomic { UP && !isRekeyed ->
       isRekeyed = true;
       version++
     }
#ifndef NO_LEASE_END
  :: atomic { lease == DEAD -> lease = FREE }
#endif
#ifdef SLOW_HOLDER
  :: atomic { lease != FREE && lease != DEAD -> lease = FREE }
#endif
#ifdef OUTAGE
  :: atomic { !wasDown ->
       wasDown = true;
       isDown = true
     }
  :: isDown -> isDown = false
#endif
  :: ended == ALL -> break
  od;

  atomic {
    assert(token[row] == VALID || lost[row]); /* 4 */
    do
    :: i < REPLICAS ->
       assert(rejected[i] != version || lost[row]); /* 2 in the end */
       i++
    :: else -> break
    od
  }
}
