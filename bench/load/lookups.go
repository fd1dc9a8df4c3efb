// Built together with reverse_proxy.go it asks SQLite four times per request and buffers each body,
// as a console without caches does. One call into C per look-up: cheaper than a driver of
// database/sql, so the comparison flatters nobody.
package main

/*
#cgo LDFLAGS: -lsqlite3
#include <sqlite3.h>
#include <stdlib.h>

static int look_up(sqlite3* db, const char* sql, const char* key) {
  sqlite3_stmt* statement = NULL;
  int found = 0;
  if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) == SQLITE_OK &&
      sqlite3_bind_text(statement, 1, key, -1, SQLITE_STATIC) == SQLITE_OK) {
    found = sqlite3_step(statement) == SQLITE_ROW;
  }
  sqlite3_finalize(statement);
  return found;
}
*/
import "C"

import (
	"bytes"
	"io"
	"log"
	"net/http"
	"net/http/httputil"
	"os"
)

func init() {
	var db *C.sqlite3
	if C.sqlite3_open_v2(C.CString(os.Getenv("LOOKUPS_DATABASE")), &db,
		C.SQLITE_OPEN_READWRITE|C.SQLITE_OPEN_FULLMUTEX, nil) != C.SQLITE_OK {
		log.Fatal("cannot open LOOKUPS_DATABASE")
	}
	key := C.CString("key-500")
	statements := []*C.char{}
	for _, table := range []string{"sessions", "users", "endpoints", "tokens"} {
		statements = append(statements, C.CString("SELECT id, value FROM "+table+" WHERE id = ?"))
	}
	around = func(proxy *httputil.ReverseProxy) http.Handler {
		proxy.ModifyResponse = func(response *http.Response) error {
			body, err := io.ReadAll(response.Body)
			response.Body.Close()
			response.Body = io.NopCloser(bytes.NewReader(body))
			return err
		}
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			for _, statement := range statements {
				if C.look_up(db, statement, key) == 0 {
					http.Error(w, "a look-up found nothing", http.StatusInternalServerError)
					return
				}
			}
			proxy.ServeHTTP(w, r)
		})
	}
}
