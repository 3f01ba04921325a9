#pragma once

#include "store/store.h"

/*
 * Statements of store.h, seen from inside of store/.
 *
 * A struct store_query is memory of its own, apart from the prepared statement that it borrows: a
 * function may end its transaction while a query of it is still in scope, and at that moment the
 * connection goes to another thread. statement_end_all() takes the statements back before; what is
 * left is a shell that touches no connection any more.
 */
void statement_end_all(struct store_db *db);
