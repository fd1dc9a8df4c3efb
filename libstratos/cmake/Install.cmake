# The libraries that programs link, and what `cmake --install` gives them: libstratos.so and
# libstratos.a from the objects of the modules, the public headers, a CMake and a pkg-config
# package. Everything is in the install component "library".

include(CMakePackageConfigHelpers)

get_property(modules GLOBAL PROPERTY STRATOS_MODULES)
set(objects ${STRATOS_LLHTTP_OBJECTS})
set(libs)
foreach(module IN LISTS modules)
  list(APPEND objects $<TARGET_OBJECTS:stratos_${module}>)
  get_target_property(moduleLibs stratos_${module} INTERFACE_LINK_LIBRARIES)
  list(APPEND libs ${moduleLibs})
endforeach()
# Our own targets are inside; libraries that were found by path are named, so that an installed
# package is not bound to the paths of the machine that built it.
list(FILTER libs EXCLUDE REGEX "stratos_")
list(TRANSFORM libs REPLACE "^/.*/lib([^/]+)\\.(so|a)$" "\\1")
if(LLHTTP_LIBRARY)
  list(APPEND libs llhttp)
endif()
list(REMOVE_DUPLICATES libs)

# What lies below include/ is public, whoever adds it.
set(headerDir "${PROJECT_SOURCE_DIR}/libstratos/include")
file(GLOB_RECURSE headers CONFIGURE_DEPENDS "${headerDir}/stratos/*.hpp")

add_library(stratos_static STATIC ${objects})
add_library(stratos_shared SHARED ${objects})
add_library(stratos::stratos ALIAS stratos_static)
add_library(stratos::static ALIAS stratos_static)
foreach(target IN ITEMS stratos_static stratos_shared)
  target_sources(${target} PUBLIC FILE_SET HEADERS BASE_DIRS "${headerDir}" FILES ${headers})
  target_compile_features(${target} PUBLIC cxx_std_20)
  target_link_libraries(${target} PRIVATE ${libs})
  set_target_properties(${target} PROPERTIES OUTPUT_NAME stratos LINKER_LANGUAGE CXX)
endforeach()
set_target_properties(stratos_static PROPERTIES
  EXPORT_NAME static
  VERIFY_INTERFACE_HEADER_SETS ON)
set_target_properties(stratos_shared PROPERTIES
  EXPORT_NAME stratos
  VERSION ${PROJECT_VERSION}
  SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})
target_link_libraries(stratos_shared PRIVATE $<BUILD_INTERFACE:stratos_flags>)
if(NOT STRATOS_SANITIZE)
  # A symbol that is nowhere must fail here, not in a program that links the library.
  target_link_options(stratos_shared PRIVATE -Wl,-z,defs)
endif()

set(packageDir "${CMAKE_INSTALL_LIBDIR}/cmake/stratos")
install(TARGETS stratos_shared EXPORT stratosTargets
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT library
  FILE_SET HEADERS DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT library)
install(TARGETS stratos_static EXPORT stratosStaticTargets
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT library
  FILE_SET HEADERS DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT library)
foreach(export IN ITEMS stratosTargets stratosStaticTargets)
  install(EXPORT ${export} NAMESPACE stratos:: DESTINATION ${packageDir} COMPONENT library)
endforeach()

configure_package_config_file(
  "${CMAKE_CURRENT_LIST_DIR}/stratosConfig.cmake.in" "${PROJECT_BINARY_DIR}/stratosConfig.cmake"
  INSTALL_DESTINATION ${packageDir}
  NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file("${PROJECT_BINARY_DIR}/stratosConfigVersion.cmake"
  COMPATIBILITY SameMinorVersion)
install(FILES
  "${PROJECT_BINARY_DIR}/stratosConfig.cmake" "${PROJECT_BINARY_DIR}/stratosConfigVersion.cmake"
  DESTINATION ${packageDir} COMPONENT library)

# The .pc file finds its prefix from where it lies, so that the tree may be moved.
file(RELATIVE_PATH pcPrefix "/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/")
string(REGEX REPLACE "/$" "" pcPrefix "${pcPrefix}")
set(pcPostgresLibs)
if(STRATOS_WITH_POSTGRESQL)
  set(pcPostgresLibs "-lpq ")
endif()
set(pcLlhttpLibs)
if(LLHTTP_LIBRARY)
  set(pcLlhttpLibs " -lllhttp")
endif()
configure_file("${CMAKE_CURRENT_LIST_DIR}/stratos.pc.in" "${PROJECT_BINARY_DIR}/stratos.pc" @ONLY)
install(FILES "${PROJECT_BINARY_DIR}/stratos.pc"
  DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT library)
