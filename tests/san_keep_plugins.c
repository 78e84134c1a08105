/* SPDX-License-Identifier: Apache-2.0
 *
 * Linked into programs that check themselves: Open MPI's plugins stay mapped to the end, so that
 * what they leak has a name by then, which tests/lsan.supp knows.
 */
int dlclose(void *handle);

int dlclose(void *handle)
{
    (void)handle;
    return 0;
}
