{"job": {"example": {}}}
