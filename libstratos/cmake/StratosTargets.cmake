# Flags that every target of this project shares, and one function per kind of target.

include(GNUInstallDirs)

add_library(stratos_flags INTERFACE)
target_compile_features(stratos_flags INTERFACE cxx_std_20)
target_compile_options(stratos_flags INTERFACE
  $<$<COMPILE_LANGUAGE:CXX>:-Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Wold-style-cast
    -Wconversion -Wno-sign-conversion>
  $<$<COMPILE_LANG_AND_ID:CXX,Clang>:-Wthread-safety>
  -fvisibility=hidden -fPIC)
if(STRATOS_SANITIZE)
  target_compile_options(stratos_flags INTERFACE
    -fsanitize=${STRATOS_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(stratos_flags INTERFACE -fsanitize=${STRATOS_SANITIZE})
endif()

# stratos_module(<name> SOURCES ... [USES <module>...] [LIBS <target>...])
# One module of the library: objects from src/<name>, headers from include/stratos/<name>. USES are
# the modules below it; each module sees the public headers only.
function(stratos_module name)
  cmake_parse_arguments(ARG "" "" "SOURCES;USES;LIBS" ${ARGN})
  add_library(stratos_${name} OBJECT ${ARG_SOURCES})
  target_include_directories(stratos_${name}
    PUBLIC ${CMAKE_CURRENT_SOURCE_DIR}/include
    PRIVATE ${CMAKE_CURRENT_SOURCE_DIR}/src)
  target_link_libraries(stratos_${name} PRIVATE stratos_flags PUBLIC ${ARG_LIBS})
  set_property(GLOBAL APPEND PROPERTY STRATOS_MODULES ${name})
  set_property(GLOBAL PROPERTY STRATOS_USES_${name} "${ARG_USES}")
endfunction()

# Links the objects of the modules, and of all modules below them, into a program.
function(stratos_link_modules target)
  set(todo ${ARGN})
  set(all)
  while(todo)
    list(POP_FRONT todo module)
    if(NOT module IN_LIST all)
      list(APPEND all ${module})
      get_property(uses GLOBAL PROPERTY STRATOS_USES_${module})
      list(APPEND todo ${uses})
    endif()
  endwhile()
  foreach(module IN LISTS all)
    target_link_libraries(${target} PRIVATE stratos_${module})
  endforeach()
  target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR}/libstratos/src)
  target_link_libraries(${target} PRIVATE stratos_flags)
endfunction()

# stratos_test(<name> LABELS <label>... SOURCES ... MODULES <module>... [LIBS <target>...])
# A GoogleTest program whose cases are ctest tests.
function(stratos_test name)
  cmake_parse_arguments(ARG "" "" "SOURCES;MODULES;LIBS;LABELS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  stratos_link_modules(${name} ${ARG_MODULES})
  target_link_libraries(${name} PRIVATE ${ARG_LIBS} GTest::gmock GTest::gtest_main)
  stratos_discover(${name} LABELS ${ARG_LABELS})
endfunction()

# stratos_discover(<target> LABELS <label>... [SUFFIX <text>] [ENVIRONMENT <VAR=value>...])
# Registers the cases of a test program; may be called once per variant of its environment.
function(stratos_discover target)
  cmake_parse_arguments(ARG "" "SUFFIX" "LABELS;ENVIRONMENT" ${ARGN})
  set(names ${target}${ARG_SUFFIX}_TESTS)
  gtest_discover_tests(${target}
    TEST_SUFFIX "${ARG_SUFFIX}"
    TEST_LIST ${names}
    DISCOVERY_TIMEOUT 60
    PROPERTIES TIMEOUT 120)
  # gtest_discover_tests() cannot pass a list as one property, so ctest sets these itself.
  set(script "${CMAKE_CURRENT_BINARY_DIR}/${names}.cmake")
  file(CONFIGURE OUTPUT "${script}" @ONLY CONTENT [[
if(@names@)
  set_tests_properties(${@names@} PROPERTIES LABELS "@ARG_LABELS@" ENVIRONMENT "@ARG_ENVIRONMENT@")
endif()
]])
  set_property(DIRECTORY APPEND PROPERTY TEST_INCLUDE_FILES "${script}")
  # What shares state between threads is built and run with ThreadSanitizer, too.
  if("tsan" IN_LIST ARG_LABELS)
    if(NOT TARGET tests_tsan)
      add_custom_target(tests_tsan)
    endif()
    add_dependencies(tests_tsan ${target})
  endif()
endfunction()
