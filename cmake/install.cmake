# What `cmake --install` puts where: the program, the client and the worker library with their headers, and what
# find_package(pointsman) and pkg-config need.

include(CMakePackageConfigHelpers)

# The archives behind each library, in the order of the arrows; users see pointsman::client and pointsman::worker.
set(pointsman_client_archives pointsman_client pointsman_client_core pointsman_transport pointsman_protocol)
set(pointsman_worker_archives
  pointsman_worker pointsman_worker_driver pointsman_worker_core pointsman_transport pointsman_protocol)
set_target_properties(pointsman_client PROPERTIES EXPORT_NAME client)
set_target_properties(pointsman_worker PROPERTIES EXPORT_NAME worker)
add_library(pointsman::client ALIAS pointsman_client)
add_library(pointsman::worker ALIAS pointsman_worker)

set(archives ${pointsman_client_archives} ${pointsman_worker_archives})
list(REMOVE_DUPLICATES archives)
install(TARGETS ${archives} EXPORT pointsman ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(TARGETS pointsman RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})

# Includes are relative to the root, in the installed tree as in ours.
foreach(header clients/client.hpp workers/worker.hpp
    protocol/messages.hpp protocol/words.hpp protocol/handoff.hpp protocol/inspection.hpp protocol/supervision.hpp protocol/tenure.hpp
    protocol/attributes.hpp protocol/direct_link.hpp protocol/fields.hpp protocol/frame.hpp protocol/bytes.hpp protocol/limits.hpp)
  get_filename_component(folder ${header} DIRECTORY)
  install(FILES ${header} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/pointsman/${folder})
endforeach()

set(package ${CMAKE_INSTALL_LIBDIR}/cmake/pointsman)
configure_package_config_file(cmake/pointsmanConfig.cmake.in pointsmanConfig.cmake INSTALL_DESTINATION ${package})
write_basic_package_version_file(pointsmanConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(EXPORT pointsman NAMESPACE pointsman:: FILE pointsmanTargets.cmake DESTINATION ${package})
install(FILES ${PROJECT_BINARY_DIR}/pointsmanConfig.cmake ${PROJECT_BINARY_DIR}/pointsmanConfigVersion.cmake
  DESTINATION ${package})

foreach(party client worker)
  list(TRANSFORM pointsman_${party}_archives PREPEND -l OUTPUT_VARIABLE libraries)
  list(JOIN libraries " " libraries)
  file(RELATIVE_PATH up /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
  configure_file(cmake/pointsman.pc.in pointsman-${party}.pc @ONLY)
  install(FILES ${PROJECT_BINARY_DIR}/pointsman-${party}.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
endforeach()

# Units for systemd; `systemctl enable --now pointsman` after /etc/pointsman/pointsman.toml was written.
foreach(unit pointsman.service pointsman-broker.service pointsman-worker@.service)
  configure_file(scripts/systemd/${unit}.in systemd/${unit} @ONLY)
  install(FILES ${PROJECT_BINARY_DIR}/systemd/${unit} DESTINATION lib/systemd/system)
endforeach()
