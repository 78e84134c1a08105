# Writes version.h with the commit of the checkout; touches it only when something changed.
set(COMMIT "unknown")
if(GIT)
  execute_process(COMMAND ${GIT} -C ${SOURCE} describe --always --dirty --abbrev=12
    OUTPUT_VARIABLE found OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET RESULT_VARIABLE failed)
  if(NOT failed)
    set(COMMIT ${found})
  endif()
endif()
configure_file(${IN} ${OUT} @ONLY)
