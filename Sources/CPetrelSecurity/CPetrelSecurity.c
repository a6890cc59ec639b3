#include "CPetrelSecurity.h"
