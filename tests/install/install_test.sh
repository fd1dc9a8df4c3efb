#!/usr/bin/env bash
# One case of the install test; CMakeLists.txt beside this file says which there are.
set -euo pipefail
: "${BUILD_DIR:?}" "${SOURCE_DIR:?}" "${WORK_DIR:?}" "${LIB_DIR:?}" "${CMAKE:?}" "${CXX:?}"
: "${PKG_CONFIG:?}"
# The prefix is moved after the installation: nothing in it may depend on where it was made.
readonly staging=$WORK_DIR/staging prefix=$WORK_DIR/prefix
read -ra flags <<<"${EXTRA_FLAGS:-}"

# findPackage NAME PROJECT OPTION...: builds a project against the prefix and runs its program.
findPackage() {
  local build=$WORK_DIR/$1 project=$2
  shift 2
  rm -rf "$build"
  "$CMAKE" -S "$SOURCE_DIR/$project" -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Debug \
    -DCMAKE_CXX_COMPILER="$CXX" -DCMAKE_CXX_FLAGS="${flags[*]}" \
    -DCMAKE_PREFIX_PATH="$prefix" -DCMAKE_FIND_USE_PACKAGE_REGISTRY=OFF "$@"
  "$CMAKE" --build "$build"
  "$build/${project##*/}"
}

linksShared() { readelf -d "$1" | grep -q 'NEEDED.*libstratos\.so\.0\.1'; }

# pkgConfigFlags OPTION...: the flags, which must name the prefix where it is now.
pkgConfigFlags() { PKG_CONFIG_PATH=$prefix/$LIB_DIR/pkgconfig "$PKG_CONFIG" "$@" stratos; }

case $1 in
  Install)
    rm -rf "$staging" "$prefix"
    "$CMAKE" --install "$BUILD_DIR" --prefix "$staging" --component library >/dev/null
    mv "$staging" "$prefix"
    test -e "$prefix/$LIB_DIR/libstratos.so.0.1"
    test -e "$prefix/$LIB_DIR/libstratos.a"
    if grep -rnE "$BUILD_DIR|$SOURCE_DIR" "$prefix" --include='*.cmake' --include='*.pc'; then
      echo "the installed packages name the build tree" >&2
      exit 1
    fi
    ;;
  FindPackageShared)
    findPackage find-shared examples/quickstart
    linksShared "$WORK_DIR/find-shared/quickstart"
    ;;
  FindPackageStatic)
    findPackage find-static examples/quickstart -DQUICKSTART_STATIC=ON
    ! linksShared "$WORK_DIR/find-static/quickstart"
    ;;
  FindPackageTesting)
    findPackage find-testing tests/install/uses_testing
    ;;
  PkgConfigShared)
    [[ $(pkgConfigFlags --modversion) == 0.1.* ]]
    read -ra package <<<"$(pkgConfigFlags --cflags --libs)"
    "$CXX" -std=c++20 "${flags[@]}" "$SOURCE_DIR/examples/quickstart/main.cpp" \
      -o "$WORK_DIR/pkg-shared" "${package[@]}"
    linksShared "$WORK_DIR/pkg-shared"
    LD_LIBRARY_PATH=$prefix/$LIB_DIR "$WORK_DIR/pkg-shared"
    ;;
  PkgConfigStatic)
    read -ra package <<<"$(pkgConfigFlags --static --cflags --libs)"
    "$CXX" -std=c++20 "${flags[@]}" "$SOURCE_DIR/examples/quickstart/main.cpp" \
      -o "$WORK_DIR/pkg-static" "${package[@]/#-lstratos/-l:libstratos.a}"
    ! linksShared "$WORK_DIR/pkg-static"
    "$WORK_DIR/pkg-static"
    ;;
  HeadersCompileAlone)
    "$CMAKE" --build "$BUILD_DIR" --target all_verify_interface_header_sets
    ;;
  *)
    echo "no such case: $1" >&2
    exit 2
    ;;
esac
