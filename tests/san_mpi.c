/* SPDX-License-Identifier: Apache-2.0
 *
 * Linked into programs that check themselves, to know the leaks of Open MPI from ours without the
 * whole stack of every allocation, which is most of the time of a test that allocates: what MPI
 * takes at its start and its end is not looked at, and the rest has its name from the library that
 * asked for it, see tests/lsan.supp.
 */
#include <mpi.h>
#include <sanitizer/lsan_interface.h>

int dlclose(void *handle);

/* Open MPI's plugins stay mapped to the end, so that they have a name by then. */
int dlclose(void *handle)
{
    (void)handle;
    return 0;
}

int MPI_Init(int *argc, char ***argv)
{
    __lsan_disable();
    int status = PMPI_Init(argc, argv);
    __lsan_enable();
    return status;
}

int MPI_Init_thread(int *argc, char ***argv, int required, int *provided)
{
    __lsan_disable();
    int status = PMPI_Init_thread(argc, argv, required, provided);
    __lsan_enable();
    return status;
}

int MPI_Finalize(void)
{
    __lsan_disable();
    int status = PMPI_Finalize();
    __lsan_enable();
    return status;
}
