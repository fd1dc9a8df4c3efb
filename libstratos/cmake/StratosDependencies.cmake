# What the library is built on: all of it in Debian 12.

find_package(Threads REQUIRED)
find_package(OpenSSL 3.0 REQUIRED)
find_package(ZLIB REQUIRED)
find_package(SQLite3 REQUIRED)
find_package(Poco 1.11 REQUIRED COMPONENTS Foundation Net NetSSL JSON Data DataSQLite)
if(STRATOS_WITH_POSTGRESQL)
  find_package(PostgreSQL REQUIRED)
endif()
find_package(Boost 1.74 REQUIRED COMPONENTS context)
find_package(yaml-cpp 0.7 REQUIRED)
find_path(RAPIDJSON_INCLUDE_DIR rapidjson/reader.h REQUIRED)
find_library(CRYPT_LIBRARY crypt REQUIRED)

# llhttp: the system library where there is one (Debian 13), else the C sources that Debian 12
# ships in node-llhttp.
find_library(LLHTTP_LIBRARY llhttp)
if(LLHTTP_LIBRARY)
  find_path(LLHTTP_INCLUDE_DIR llhttp.h REQUIRED)
  add_library(stratos_llhttp INTERFACE)
  target_include_directories(stratos_llhttp SYSTEM INTERFACE ${LLHTTP_INCLUDE_DIR})
  target_link_libraries(stratos_llhttp INTERFACE ${LLHTTP_LIBRARY})
  set(STRATOS_LLHTTP_OBJECTS)
else()
  find_path(LLHTTP_SOURCE_DIR llhttp.c PATHS /usr/share/llhttp NO_DEFAULT_PATH REQUIRED)
  find_path(LLHTTP_INCLUDE_DIR llhttp.h PATHS /usr/share/include/llhttp REQUIRED)
  add_library(stratos_llhttp OBJECT
    ${LLHTTP_SOURCE_DIR}/api.c ${LLHTTP_SOURCE_DIR}/http.c ${LLHTTP_SOURCE_DIR}/llhttp.c)
  target_include_directories(stratos_llhttp SYSTEM PUBLIC ${LLHTTP_INCLUDE_DIR})
  target_compile_options(stratos_llhttp PRIVATE -fPIC -fvisibility=hidden -O2 -w)
  set(STRATOS_LLHTTP_OBJECTS $<TARGET_OBJECTS:stratos_llhttp>)
endif()
