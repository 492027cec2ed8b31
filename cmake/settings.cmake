# How our own code is compiled: linked privately by every target of ours, never by third parties.

option(POINTSMAN_WERROR "Warnings end the build" OFF)
set(POINTSMAN_SANITIZE "" CACHE STRING "Sanitizers, for example address,undefined or thread")

add_library(pointsman_settings INTERFACE)
target_compile_features(pointsman_settings INTERFACE cxx_std_20)
target_include_directories(pointsman_settings INTERFACE $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}>)
target_compile_options(pointsman_settings INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wnon-virtual-dtor
  -Wold-style-cast -Wno-missing-field-initializers $<$<BOOL:${POINTSMAN_WERROR}>:-Werror> -fstack-protector-strong)
# g++ 12 warns of errors that are not there when it inlines the strings of its own library: at -O3 of more kinds
# than -Wrestrict.
target_compile_options(pointsman_settings INTERFACE $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict> $<$<CONFIG:Release>:-O2>)
target_compile_definitions(pointsman_settings INTERFACE
  $<$<NOT:$<CONFIG:Release>>:_GLIBCXX_ASSERTIONS>)
if(POINTSMAN_SANITIZE)
  target_compile_options(pointsman_settings INTERFACE
    -fsanitize=${POINTSMAN_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(pointsman_settings INTERFACE -fsanitize=${POINTSMAN_SANITIZE})
endif()

set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_CXX_VISIBILITY_PRESET hidden)
set(CMAKE_VISIBILITY_INLINES_HIDDEN ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

find_program(POINTSMAN_CCACHE ccache)
if(POINTSMAN_CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${POINTSMAN_CCACHE})
endif()

# Adds one static library of ours. Its sources are listed by hand: pointsman_library(name SOURCES...)
function(pointsman_library name)
  add_library(${name} STATIC ${ARGN})
  target_link_libraries(${name} PRIVATE $<BUILD_INTERFACE:pointsman_settings>)
  target_include_directories(${name} PUBLIC
    $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}> $<INSTALL_INTERFACE:include/pointsman>)
  target_compile_features(${name} PUBLIC cxx_std_20)
endfunction()
