# Finds the packages; the one place that knows their Debian names.

macro(pointsman_need package debian)
  find_package(${package} QUIET ${ARGN})
  if(NOT ${package}_FOUND)
    message(FATAL_ERROR
      "${package} was not found. On Debian: apt-get install ${debian} (or run scripts/setup)")
  endif()
endmacro()

find_package(PkgConfig QUIET)
if(NOT PkgConfig_FOUND)
  message(FATAL_ERROR "pkg-config was not found. On Debian: apt-get install pkg-config (or run scripts/setup)")
endif()
pointsman_need(Threads libc6-dev)
pointsman_need(cppzmq cppzmq-dev)
pointsman_need(CLI11 libcli11-dev)
pointsman_need(nlohmann_json nlohmann-json3-dev)
pointsman_need(toml11 libtoml11-dev)
find_path(POINTSMAN_MSGPACK_INCLUDE msgpack.hpp)
if(NOT POINTSMAN_MSGPACK_INCLUDE)
  message(FATAL_ERROR
    "msgpack.hpp was not found. On Debian: apt-get install libmsgpack-cxx-dev (or run scripts/setup)")
endif()
find_path(POINTSMAN_CURL_INCLUDE curl/curl.h)  # libcurl itself is loaded when it is needed
if(NOT POINTSMAN_CURL_INCLUDE)
  message(FATAL_ERROR
    "curl/curl.h was not found. On Debian: apt-get install libcurl4-openssl-dev (or run scripts/setup)")
endif()
pkg_check_modules(sodium REQUIRED IMPORTED_TARGET libsodium)
pkg_check_modules(sqlite REQUIRED IMPORTED_TARGET sqlite3)
pkg_check_modules(pq REQUIRED libpq)
